"""When a first stage works in tiles, who then works through them, and that nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from latelier.contracts.configs import FirstStageConfig
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.first_stages.configs import IdentityConfig
from latelier.first_stages.identity import Identity
from latelier.pipeline.planning import layout, memory
from latelier.pipeline.request import Defaults, read_request
from latelier.pipeline.tiling import tiled_first_stage
from latelier.pipeline.tiling.tiled_first_stage import TiledFirstStage, read_tile, with_tiles

REQUEST = {"prompt": "a red cat in a meadow", "seed": 5, "steps": 2}


def request(tile=None):
    return read_request(Defaults(size=16), [], {}, {"tile": tile})


class Factor(FirstStageConfig):
    f: int

    @property
    def downsampling(self):
        return self.f


class Tiling(Identity):
    """In tiles, of whatever factor."""

    def __init__(self, f):
        super().__init__(IdentityConfig())
        self._config = Factor(f=f)


class Plain(nn.Module):
    """A first stage of somebody's that cannot work in tiles: a wrapper without the two methods."""

    def __init__(self, first_stage):
        super().__init__()
        self.first_stage, self.config = first_stage, first_stage.config

    def encode(self, images):
        return self.first_stage.encode(images)

    def decode(self, latents):
        return self.first_stage.decode(latents)


def with_plain(pipeline):
    component = replace(pipeline.first_stage_component, module=Plain(pipeline.first_stage))
    return replace(pipeline, first_stage_component=component)


@pytest.fixture
def recorded(compose_tiny, monkeypatch):
    """A pipeline, and the calls of its first stage: the method, its rows and its tile."""
    pipeline, done = compose_tiny(), []

    def record(name):
        method = getattr(pipeline.first_stage, name)

        def recording(rows, **options):
            done.append((name, len(rows), options.get("tile")))
            return method(rows, **options)

        monkeypatch.setattr(pipeline.first_stage, name, recording)

    for name in ("encode", "decode", "encode_tiled", "decode_tiled"):
        record(name)
    return pipeline, done


@pytest.mark.parametrize(
    ("size", "fits", "tile"),
    [
        ((512, 512), True, 0),
        ((2048, 2048), True, 0),
        ((512, 512), False, 256),
        ((2048, 64), False, 256),
        ((256, 256), False, 0),
    ],
)
def test_pictures_that_do_not_fit_are_tiled_by_default(tiny, size, fits, tile):
    assert read_tile(request(), size, tiny.first_stage, fits=fits) == tile


@pytest.mark.parametrize(("f", "tile"), [(1, 256), (8, 256), (6, 252), (300, 300)])
def test_the_default_tile_suits_the_first_stage(f, tile):
    assert read_tile(request(), (3600, 3600), Tiling(f), fits=False) == tile


def test_a_given_tile_is_used(tiny):
    assert read_tile(request(0), (2048, 2048), tiny.first_stage, fits=False) == 0
    assert read_tile(request(8), (16, 16), tiny.first_stage, fits=False) == 8


def test_a_first_stage_without_tiles_works_whole_and_refuses_a_given_tile(tiny):
    plain = Plain(tiny.first_stage)
    assert read_tile(request(), (2048, 2048), plain, fits=False) == 0
    assert read_tile(request(0), (2048, 2048), plain, fits=False) == 0
    with pytest.raises(CompatibilityError, match=r"^tile: the first stage Plain cannot work in"):
        read_tile(request(8), (2048, 2048), plain, fits=False)


def test_a_pipeline_without_tiling_makes_large_pictures(tiny, monkeypatch):
    monkeypatch.setattr(tiled_first_stage, "TILE", 16)
    needed = memory.decoding_bytes(tiny.first_stage, (40, 24), tiny.dtype)
    monkeypatch.setattr(layout, "free_memory", lambda device: needed)  # it may take half of that
    pipeline = with_plain(tiny)
    one, other = (each.generate(**REQUEST, size=(40, 24)) for each in (pipeline, tiny))
    assert (one[0].provenance["request"]["tile"], other[0].provenance["request"]["tile"]) == (
        0,
        16,
    )
    levels = [np.asarray(each[0].image, dtype=int) for each in (one, other)]
    assert np.abs(levels[0] - levels[1]).max() <= 1
    with pytest.raises(CompatibilityError, match="cannot work in tiles"):
        pipeline.stream(**REQUEST, tile=8)


def test_pictures_are_decoded_one_after_the_other(recorded):
    pipeline, done = recorded
    pipeline.generate(**REQUEST, n=3, tile=8)
    assert done == [("decode_tiled", 1, 8)] * 3


def test_previews_are_decoded_in_tiles(recorded):
    pipeline, done = recorded
    first = next(pipeline.stream(**REQUEST, tile=8))
    assert first.image.size == (16, 16)
    assert done == [("decode_tiled", 1, 8)]


def test_the_init_image_is_encoded_in_tiles(recorded, photo, other_photo):
    pipeline, done = recorded
    next(pipeline.stream(**REQUEST, init_image=[photo, other_photo], tile=8))
    assert done[:2] == [("encode_tiled", 1, 8)] * 2
    done.clear()
    next(pipeline.stream(**REQUEST, init_image=[photo, other_photo]))
    assert done[:1] == [("encode", 2, None)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_conditioners_encode_in_tiles(
    compose_tiny, tiny_changes, photo, left_stays, monkeypatch, dtype
):
    parts = tiny_changes()
    _, denoiser = parts["denoiser"]
    pipeline = compose_tiny(
        denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"mask": 5}}),
        conditioners={
            "text": parts["conditioners"]["text"],
            "mask": ("mask", {"latent_channels": 4}),
        },
        inputs={"prompt": "text"},
    ).to("cpu", dtype)
    given = {"init_image": photo, "mask": left_stays}
    whole = pipeline.generate(**REQUEST, **given, tile=0)[0]

    def never(_):
        raise AssertionError("as a whole")

    monkeypatch.setattr(pipeline.first_stage, "encode", never)
    tiled = pipeline.generate(**REQUEST, **given, tile=8)[0]
    levels = [np.asarray(each.image, dtype=int) for each in (whole, tiled)]
    assert np.abs(levels[0] - levels[1]).max() <= (2 if dtype == "float32" else 16)


def test_tiled_results_equal_untiled_results(tiny):
    tiled = TiledFirstStage(tiny.first_stage, 8)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((3, 3, 40, 24), generator=generator) * 2 - 1
    with torch.no_grad():
        latents = tiny.first_stage.encode(images)
        torch.testing.assert_close(tiled.encode(images), latents, rtol=1e-4, atol=1e-4)
        decoded = tiny.first_stage.decode(latents)
        torch.testing.assert_close(tiled.decode(latents), decoded, rtol=1e-4, atol=1e-4)
    assert tiled.config is tiny.first_stage.config


def test_without_tiles_the_first_stage_is_returned(tiny):
    assert with_tiles(tiny.first_stage, 0) is tiny.first_stage


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        (7, "^tile: the side 7 is not a multiple of 2, as this model needs; the nearest is 8$"),
        (1, "the nearest is 2$"),
        (-8, "'tile': .*greater than or equal to 0"),
        ("large", "'tile': .*valid integer"),
    ],
)
def test_an_invalid_tile_is_refused_at_once(tiny, tile, message):
    with pytest.raises(InvalidInputError, match=message):
        tiny.stream(**REQUEST, tile=tile)
