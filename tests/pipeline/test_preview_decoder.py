"""A small first stage decodes previews; finished pictures stay as they are."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from latelier.checkpoints.component import Component, new_component, save_component
from latelier.contracts.errors import CompatibilityError, ModelFileError
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.engine import Engine
from latelier.pipeline import Pipeline, load
from latelier.pipeline.replay.replay import replay
from latelier.pipeline.storage.manifest_header import read_manifest_header

REQUEST = {"prompt": "a red cat in a meadow", "seed": 3}
TINY = {
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "num_encoder_blocks": (1, 1),
    "num_decoder_blocks": (1, 1),
}


@pytest.fixture
def decoder(built_ins) -> Component:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        component = new_component("first_stage", "tiny", TINY, built_ins)
    component.module.eval().requires_grad_(False)
    return component


@pytest.fixture
def previewing(tiny, decoder) -> Pipeline:
    return tiny.with_preview_decoder(decoder)


def pixels(images):
    return [np.asarray(image) for image in images]


def test_it_decodes_previews_and_no_picture(tiny, previewing, decoder):
    *steps, last = previewing.stream(**REQUEST)
    expected = list(tiny.stream(**REQUEST))
    for step, other in zip(steps, expected, strict=False):
        assert torch.equal(step.latents, other.latents)
        with torch.no_grad():
            small = tensor_to_pil(decoder.module.decode(step.latents))
        np.testing.assert_array_equal(pixels(step.images), pixels(small))
        assert (np.asarray(step.image) != np.asarray(other.image)).any()
    (picture,), (before,) = last.pictures, expected[-1].pictures
    np.testing.assert_array_equal(pixels(last.images), pixels([before.image]))
    assert picture.provenance == before.provenance


def test_hooks_see_its_images(previewing, decoder, monkeypatch):
    seen = []
    dispatcher = type(previewing.atelier.dispatcher())
    emit = dispatcher.emit

    def record(self, name, **values):
        if name == "latelier_after_step":
            seen.append((values["snapshot"].latents(), values["snapshot"].images()))
        return emit(self, name, **values)

    monkeypatch.setattr(dispatcher, "emit", record)
    previewing.generate(**REQUEST, steps=1)
    ((latents, images),) = seen
    with torch.no_grad():
        expected = tensor_to_pil(decoder.module.decode(latents))
    np.testing.assert_array_equal(pixels(images), pixels(expected))


def test_it_is_stored_with_the_model(previewing, decoder, tmp_path, built_ins):
    previewing.save(tmp_path / "model")
    header = read_manifest_header(tmp_path / "model")
    assert header.components()["preview_decoder"].id == "latelier/tiny"
    loaded = load(tmp_path / "model", "cpu", atelier=built_ins)
    assert loaded.preview_component is not None
    state = loaded.preview_component.module.state_dict()
    assert all(torch.equal(state[k], each) for k, each in decoder.module.state_dict().items())
    found, expected = (next(iter(each.stream(**REQUEST))) for each in (loaded, previewing))
    np.testing.assert_array_equal(pixels(found.images), pixels(expected.images))
    (tmp_path / "model" / "preview_decoder.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="preview_decoder"):
        load(tmp_path / "model", "cpu", atelier=built_ins)


def test_a_replay_does_not_depend_on_it(previewing, tmp_path, built_ins):
    previewing.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu", "float32", atelier=built_ins)
    (picture,) = loaded.generate(**REQUEST)
    picture.save(tmp_path / "picture.png")
    loaded.with_preview_decoder(None).save(tmp_path / "model")
    assert "preview_decoder" not in read_manifest_header(tmp_path / "model").components()
    assert replay(tmp_path / "picture.png", atelier=built_ins).differences == ()


def test_it_is_named_by_the_folder_of_a_component(tiny, decoder, tmp_path):
    save_component(tmp_path / "small", decoder)
    found = tiny.with_preview_decoder(tmp_path / "small")
    assert next(iter(found.stream(**REQUEST))).image.size == (16, 16)
    with pytest.raises(ModelFileError, match="nothing"):
        tiny.with_preview_decoder(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"z_channels": 3}, "latent_channels 3, the first stage 4"),
        (
            {name: value * 2 for name, value in TINY.items()},
            "downsampling 8, the first stage 2",
        ),
    ],
)
def test_other_latents_are_refused(tiny, built_ins, changes, words):
    other = new_component("first_stage", "tiny", {**TINY, **changes}, built_ins)
    with pytest.raises(CompatibilityError, match=words):
        tiny.with_preview_decoder(other)


def test_another_kind_of_component_is_refused(tiny):
    with pytest.raises(CompatibilityError, match="expected a first stage, got 'latelier/unet'"):
        tiny.with_preview_decoder(tiny.denoiser_component)


def test_it_moves_with_the_pipeline(previewing, decoder):
    moved = previewing.to(dtype="bfloat16")
    step = next(iter(moved.stream(**REQUEST)))
    assert step.image.size == (16, 16)
    assert moved.to(dtype="float32").preview_component.module is decoder.module
    halved = previewing.converted("bfloat16").preview_component
    assert {each.dtype for each in halved.module.state_dict().values()} == {torch.bfloat16}


@pytest.mark.parametrize("tile", [8, 16])
def test_it_works_in_tiles_as_the_first_stage_does(previewing, tile):
    whole, tiled = (
        next(iter(previewing.stream(**REQUEST, size=32, tile=each))) for each in (0, tile)
    )
    difference = np.abs(np.subtract(*(np.asarray(each.image, int) for each in (whole, tiled))))
    assert difference.max() <= 1


class Whole(nn.Module):
    """A first stage that cannot work in tiles."""

    def __init__(self, module):
        super().__init__()
        self.config, self.decode = module.config, module.decode


def test_one_without_tiles_decodes_whole_previews(tiny, decoder):
    whole = replace(decoder, module=Whole(decoder.module))
    found, expected = (
        next(iter(tiny.with_preview_decoder(each).stream(**REQUEST, size=32, tile=tile)))
        for each, tile in ((whole, 16), (decoder, 0))
    )
    np.testing.assert_array_equal(pixels(found.images), pixels(expected.images))


def test_a_job_of_an_engine_shows_its_images(previewing):
    expected = [pixels(each.images) for each in previewing.stream(**REQUEST)]
    with Engine(previewing) as engine:
        job = engine.submit(**REQUEST)
        (picture,) = job.result()
        previews = list(job)
    assert previews[-1].pictures
    np.testing.assert_array_equal(np.asarray(picture.image), expected[-1][0])
    for each in previews:
        if not each.pictures:
            np.testing.assert_array_equal(pixels(each.images), expected[each.step - 1])


def test_offloaded_weights_are_placed_for_its_calls(previewing, tmp_path, built_ins):
    previewing.save(tmp_path / "model")
    offloaded = load(tmp_path / "model", "cpu", "bfloat16", offload="components", atelier=built_ins)
    for step in offloaded.stream(**REQUEST):
        assert step.image.size == (16, 16)
    placed = []

    def placing(denoiser, others):
        placed.extend([denoiser, *others])
        return nullcontext()

    with replace(offloaded, offload=SimpleNamespace(placing=placing)).placing():
        assert offloaded.preview_component.module in placed
