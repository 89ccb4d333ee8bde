"""The free memory decides on tiles and batches, and what does not fit is one clear error."""

import logging

import pytest
import torch
from PIL import Image

from latelier.contracts.errors import NotEnoughMemoryError
from latelier.pipeline import load
from latelier.pipeline.planning import layout, memory
from latelier.pipeline.planning.memory import decoding_bytes
from latelier.pipeline.replay.replay import replay

REQUEST = {"prompt": "a red cat in a meadow", "label": "cat", "seed": 5, "steps": 2}
SIZE = (320, 64)


@pytest.fixture
def have(monkeypatch):
    """Set the free memory, in bytes."""

    def set_free(free):
        for module in (layout, memory):
            monkeypatch.setattr(module, "free_memory", lambda device: free)

    return set_free


def layout_of(pipeline, **keywords):
    fields = pipeline.generate(**REQUEST, **keywords)[0].provenance["request"]
    return fields["tile"], fields["batch_size"]


def test_a_picture_that_does_not_fit_is_decoded_in_tiles(tiny, have, caplog):
    needed = decoding_bytes(tiny.first_stage, SIZE, torch.float32)
    have(2 * needed)
    assert layout_of(tiny, size=SIZE) == (0, 1)
    have(2 * needed - 1)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert layout_of(tiny, size=SIZE) == (256, 1)
    (line,) = (each for each in caplog.messages if each.startswith("`tile`"))
    assert line.startswith("`tile`: decoded in tiles of 256 pixels, because the whole picture take")
    caplog.clear()
    assert layout_of(tiny, size=SIZE, tile=256) == (256, 1)
    assert "decoded in tiles" not in caplog.text


def test_the_default_batch_is_bounded_by_the_free_memory(tiny, have):
    needed = decoding_bytes(tiny.first_stage, (16, 16), torch.float32)
    have(2**40)
    assert layout_of(tiny, n=5) == (0, 5)
    have(6 * needed)
    assert layout_of(tiny, n=5) == (0, 3)
    assert layout_of(tiny, n=5, batch_size=4) == (0, 4)
    have(needed)
    assert layout_of(tiny, n=5) == (0, 1)


def test_the_choice_is_replayed_where_more_memory_is_free(tiny, have, tmp_path, built_ins):
    tiny.save(tmp_path / "model")
    pipeline = load(tmp_path / "model", "cpu", "float32", atelier=built_ins)
    have(2 * decoding_bytes(tiny.first_stage, SIZE, torch.float32) - 1)
    (picture,) = pipeline.generate(**REQUEST, size=SIZE)
    picture.save(tmp_path / "a.png")
    have(2**40)
    assert replay(tmp_path / "a.png", atelier=built_ins).verdict == "identical"


def test_pictures_that_do_not_fit_are_refused_before_the_run(tiny, have):
    needed = decoding_bytes(tiny.first_stage, (16, 16), torch.float32)
    have(2 * needed)
    text = "decoding 3 pictures of 16 x 16 takes .* GB, and .* GB of the memory of 'cpu' is free: a"
    with pytest.raises(NotEnoughMemoryError, match=text) as found:
        tiny.stream(**REQUEST, n=3, batch_size=3)
    assert "`batch_size`" in str(found.value)
    assert "`tile`" in str(found.value)
    have(needed * 3 // 4)  # half for the maps, a quarter for a tile
    assert tiny.stream(**REQUEST, tile=8)
    have(needed * 3 // 4 - 1)
    with pytest.raises(NotEnoughMemoryError, match="decoding a picture of 16 x 16") as found:
        tiny.stream(**REQUEST, tile=8)
    assert "`tile`" not in str(found.value)


@pytest.mark.parametrize("place", ["denoiser", "first_stage"])
def test_exhausted_memory_is_explained(compose_tiny, place):
    pipeline = compose_tiny()

    def exhaust(*_):
        torch.empty(2**60, dtype=torch.uint8)

    layer = next(each for each in getattr(pipeline, place).modules() if not list(each.children()))
    layer.register_forward_pre_hook(exhaust)
    with pytest.raises(
        NotEnoughMemoryError, match="not enough memory for 2 pictures of 16 x 16 on"
    ):
        pipeline.generate(**REQUEST, n=2, init_image=Image.new("RGB", (16, 16)))


def test_a_model_that_does_not_fit_says_how_much_it_needs(tiny, have, tmp_path, built_ins):
    tiny.save(tmp_path)
    have(1000)
    text = r"the weights need .* GB in float32, and 0.00 GB .* is free: dtype='bfloat16' halves it"
    with pytest.raises(NotEnoughMemoryError, match=text):
        load(tmp_path, "cpu", "float32", atelier=built_ins)
    with pytest.raises(NotEnoughMemoryError, match=r"in bfloat16, .* is free: other programs"):
        load(tmp_path, "cpu", "bfloat16", atelier=built_ins)
