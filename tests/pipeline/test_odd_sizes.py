"""Pictures whose latents have odd sides at every level of the UNet."""

import pytest
import torch
from PIL import Image

from latelier.pipeline import load
from latelier.pipeline.replay.replay import replay

REQUEST = {"prompt": "a red cat in a meadow", "seed": 5, "steps": 3, "size": (18, 10)}
"""Latents of 9 x 5, then of 5 x 3."""

LEFT = Image.new("L", (18, 10))
LEFT.paste(255, (0, 0, 6, 10))
PICTURE = Image.effect_noise((18, 10), 90).convert("RGB")
LAYOUT = ("layout", {"n_embed": 16, "n_layer": 1, "num_classes": 2, "max_objects_per_image": 2})


def latents_of(pipeline, **keywords):
    *_, last = pipeline.stream(**{**REQUEST, **keywords})
    assert last.latents.isfinite().all()
    return last.latents


def test_a_picture_is_made_and_replayed(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    saved = load(tmp_path / "model", "cpu", atelier=tiny.atelier)
    (made,) = saved.generate(**REQUEST)
    assert made.image.size == (18, 10)
    made.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", atelier=tiny.atelier).verdict == "identical"


def test_windows_cover_it(tiny):
    whole = latents_of(tiny)
    assert torch.equal(latents_of(tiny, window=(18, 10)), whole)
    cut = latents_of(tiny, window=6)
    assert cut.shape == whole.shape == (1, 4, 5, 9)
    assert not torch.equal(cut, whole)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_deep_branch_at_every_depth_returns_to_the_size_above(tiny, depth):
    """With an interval of 3 the second and third step have only the outer blocks."""
    exact = latents_of(tiny)
    cached = latents_of(tiny, acceleration={"name": "deep_cache", "depth": depth})
    error = ((cached - exact).norm() / exact.norm()).item()
    assert 0 < error < 0.5


def test_tokens_are_merged(tiny):
    merged = latents_of(tiny, acceleration={"name": "token_merging", "min_tokens": 4})
    assert not torch.equal(merged, latents_of(tiny))


def test_the_part_outside_of_a_mask_is_kept(tiny):
    """The mask has an odd number of columns in latents."""
    (made,) = tiny.generate(**REQUEST, init_image=PICTURE, mask=LEFT)
    right = (8, 0, 18, 10)
    assert made.image.crop(right).tobytes() == PICTURE.crop(right).tobytes()
    assert made.image.crop((0, 0, 4, 10)).tobytes() != PICTURE.crop((0, 0, 4, 10)).tobytes()


def test_a_layout_steers(compose_tiny, tiny_changes):
    _, denoiser = tiny_changes()["denoiser"]
    changed = {**denoiser, "streams": {"layout": {"width": 16}}, "vectors": {}}
    pipeline = compose_tiny(
        denoiser=("unet", changed), conditioners={"layout": LAYOUT}, inputs=None
    )
    keywords = {"seed": 5, "steps": 2, "size": (18, 10)}
    one, other = (
        [each.image.tobytes() for each in pipeline.generate(**keywords, layout=[thing])]
        for thing in (
            {"label": 1, "box": [0.0, 0.0, 0.5, 1.0]},
            {"label": 1, "box": [0.5, 0.0, 1.0, 1.0]},
        )
    )
    assert one != other
