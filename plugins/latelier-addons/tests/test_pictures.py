"""From a file to a picture, by a view of a pipeline: ControlNet and T2I-Adapter, and replay."""

import gc

import numpy as np
import pytest
import torch
from latelier import import_model, load
from latelier.contracts.images.pixels import normalize, tensor_to_pil
from latelier.pipeline.replay.replay import replay
from PIL import Image

from latelier_addons.preprocessors.filters import tile

PROMPT = "a red cat in a meadow"


@pytest.fixture(scope="module")
def edges():
    levels = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8) * 255
    return Image.fromarray(levels)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, new_controlnet, redraw, atelier):
    """Imported adapters by name."""
    from diffusers import T2IAdapter

    root = tmp_path_factory.mktemp("adapters")
    published = {
        "canny": new_controlnet("sd4"),
        "sketch": redraw(T2IAdapter(channels=[32, 64, 64, 64]), std=0.04),
    }
    for name, module in published.items():
        module.save_pretrained(root / "published" / name)
        import_model(root / "published" / name, root / name, atelier=atelier)
    import_model(root / "published/canny", root / "guess", atelier=atelier, guess=True)
    return root


def pixels(pipe, **inputs):
    return [each.image.tobytes() for each in pipe.generate(prompt=PROMPT, seed=3, **inputs)]


@pytest.mark.parametrize("name", ["canny", "sketch"])
def test_a_hint_steers_and_its_absence_does_not(pipe, folders, edges, name):
    view = pipe.with_adapter(folders / name)
    assert pixels(view, **{name: edges}) != pixels(pipe)
    assert pixels(view) == pixels(pipe)


def test_guess_mode_leaves_the_negative_side_alone(pipe, folders, edges):
    """With guidance 1 there is none."""
    guess = pipe.with_adapter(folders / "guess", as_="canny")
    plain = pipe.with_adapter(folders / "canny")
    assert pixels(guess, canny=edges) != pixels(plain, canny=edges)


def test_both_are_replayed(pipe, folders, edges, tmp_path):
    pipe.save(tmp_path / "model")
    view = load(tmp_path / "model", "cpu", atelier=pipe.atelier)
    view = view.with_adapter(folders / "canny", 0.7, end=0.7).with_adapter(folders / "sketch")
    (made,) = view.generate(prompt=PROMPT, seed=3, canny=edges, sketch=edges)
    made.save(tmp_path / "a.png")
    assert made.provenance["adapters"].keys() == {"canny", "sketch"}
    assert replay(tmp_path / "a.png", atelier=pipe.atelier).verdict == "identical"


def test_windows_of_large_pictures_see_their_part(pipe, folders, edges):
    view = pipe.with_adapter(folders / "canny")
    large = Image.new("L", (128, 64))
    large.paste(edges, (64, 0))
    found = pixels(view, canny=large, size=(128, 64), window=64)
    assert found != pixels(view, canny=Image.new("L", (128, 64)), size=(128, 64), window=64)


@pytest.mark.parametrize("name", ["canny", "sketch"])
def test_sides_are_multiples_of_8(pipe, folders, edges, name):
    """Latents of 9 x 5, in one piece and in windows of 5 x 5."""
    view, hint, size = pipe.with_adapter(folders / name), edges.resize((72, 40)), (72, 40)
    whole = pixels(view, **{name: hint}, size=size)
    assert whole != pixels(view, size=size)
    cut = pixels(view, **{name: hint}, size=size, window=40)
    assert cut != pixels(view, size=size, window=40)


def test_a_hint_of_another_aspect_is_cropped_and_replayed(pipe, folders, edges, tmp_path, caplog):
    """Windows cut the cropped hint."""
    pipe.save(tmp_path / "model")
    view = load(tmp_path / "model", "cpu", atelier=pipe.atelier).with_adapter(folders / "canny")
    wide = Image.new("L", (128, 64))
    wide.paste(edges, (32, 0))
    for options in ({}, {"size": (128, 128), "window": 64}):
        (made,) = view.generate(prompt=PROMPT, seed=3, canny=wide, **options)
        (cropped,) = view.generate(prompt=PROMPT, seed=3, canny=edges, **options)
        assert made.image.tobytes() == cropped.image.tobytes()
        made.save(tmp_path / "a.png")
        assert replay(tmp_path / "a.png", atelier=pipe.atelier).verdict == "identical"
    assert "canny: the image is 128x64, the picture 64x64: 64x64 around its centre" in caplog.text


def test_a_filter_gives_what_an_input_takes(pipe, folders):
    levels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    hints = tile(normalize(torch.from_numpy(levels)).permute(2, 0, 1)[None], 4)
    view = pipe.with_adapter(folders / "canny")
    assert pixels(view, canny=hints[0]) == pixels(view, canny=tensor_to_pil(hints)[0])


def test_half_precision(pipe, folders, edges):
    view = pipe.to("cpu", torch.bfloat16).with_adapter(folders / "canny")
    assert pixels(view, canny=edges) != pixels(view)


def test_the_features_of_a_t2i_adapter_are_computed_once_a_run(pipe, folders, edges):
    view = pipe.with_adapter(folders / "sketch")
    module, calls = view.adapters["sketch"].loaded.adapter.module, []
    with module.conv_in.register_forward_hook(lambda *_: calls.append(1)):
        first = pixels(view, sketch=edges)
        assert len(calls) == 1
        assert pixels(view, sketch=edges.rotate(90)) != first
        assert len(calls) == 2
        gc.collect()
    assert not module._features
