"""Finished pictures have the pixels that inputs know, if the first stage takes them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError, PluginError
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.engine import Engine
from latelier.pipeline import load

SIZE = 16
RED = Image.new("RGB", (SIZE // 2, SIZE // 2), (255, 0, 0))
BLUE = Image.new("RGB", (SIZE // 2, SIZE // 2), (0, 0, 255))


@pytest.fixture
def parts(tiny_changes):
    """A model of a text and a small picture, of whose pixels its first stage is told."""
    parts = tiny_changes()
    name, config = parts["first_stage"]
    known = {"inputs": ("small", "absent"), "channels": 4, "blocks": 1}
    parts["first_stage"] = name, {**config, "conditional_decoder": known}
    parts["denoiser"][1].update(spatial={"small": 3}, in_channels=4)
    parts["denoiser"][1]["vectors"] = {}
    small = {"factor": 2, "degradation": "bicubic", "absence": "trained"}
    parts["conditioners"] = {"text": parts["conditioners"]["text"], "small": ("image", small)}
    parts["inputs"] = {"prompt": "text", "small": "small"}
    return parts


@pytest.fixture
def model(compose_tiny, parts):
    """The model, whose gates for the small picture are open."""
    pipeline = compose_tiny(**parts)
    decoder = pipeline.first_stage.conditional_decoder
    with torch.no_grad():
        decoder.conv_out.weight.zero_()
        decoder.conv_out.bias.copy_(torch.tensor([0.0] * 12 + [100.0] * 4 + [-100.0] * 4))
    return pipeline


@pytest.fixture
def without(model):
    """The same model without a conditional decoder."""
    component = model.first_stage_component
    config = component.module.config.model_copy(update={"conditional_decoder": None})
    plain = type(component.module)(config)
    plain.load_state_dict(component.module.state_dict(), strict=False)
    return replace(model, first_stage_component=replace(component, module=plain.eval()))


@pytest.fixture
def no_agreement(monkeypatch):
    """Small pictures are not also restored after decoding."""
    from latelier_conditioners.image.conditioner import ImageConditioner

    monkeypatch.setattr(ImageConditioner, "postprocess", lambda _self, picture, _value: picture)


def pixels(pictures):
    return np.stack([np.asarray(picture.image) for picture in pictures])


@pytest.mark.usefixtures("no_agreement")
def test_pictures_have_what_an_input_knows_and_previews_do_not(model, without):
    request = {"prompt": "a red cat in a meadow", "small": [RED, BLUE], "seed": 1}
    *steps, last = model.stream(**request)
    red, blue = pixels(last.pictures)
    assert (red == (255, 0, 0)).all()
    assert (blue == (0, 0, 255)).all()
    *others, plain = without.stream(**request)
    assert torch.equal(last.latents, plain.latents)
    assert (pixels(plain.pictures)[0] != (255, 0, 0)).any()
    for step, other in zip(steps, others, strict=True):
        assert np.array_equal(np.asarray(step.image), np.asarray(other.image))


@pytest.mark.usefixtures("no_agreement")
def test_of_rows_without_an_input_nothing_is_known(compose_tiny, parts):
    pipeline = compose_tiny(**parts)  # its residual is random
    request = {"prompt": "a red cat in a meadow", "seed": 1}
    *_, last = pipeline.stream(**request)
    with torch.no_grad():
        decoded = pipeline.first_stage.decode(last.latents)
        expected = pipeline.first_stage.add_known(decoded, torch.zeros(1, 8, SIZE, SIZE))
    (alone,) = pixels(last.pictures)
    assert np.array_equal(alone, np.asarray(tensor_to_pil(expected)[0]))
    assert not np.array_equal(alone, np.asarray(tensor_to_pil(decoded)[0]))
    first, _ = pixels(pipeline.generate(**request, small=[None, BLUE]))
    assert np.array_equal(first, alone)


@pytest.mark.usefixtures("no_agreement")
def test_later_batches_know_their_own_pixels(model):
    pictures = model.generate(small=[RED, BLUE], n=2, seed=1, batch_size=1)
    assert [tuple(each.image.getpixel((3, 3))) for each in pictures] == [
        *[(255, 0, 0)] * 2,
        *[(0, 0, 255)] * 2,
    ]


def test_the_picture_outside_of_a_mask_stays_exact(model):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    mask = Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 12, 12))
    (picture,) = model.generate(init_image=photo, mask=mask, seed=1, steps=2)
    known = np.asarray(mask) == 0
    assert (np.asarray(picture.image)[known] == np.asarray(photo)[known]).all()


def test_tiles_and_engines_make_the_same_pictures(model, compose_tiny, parts):
    random = compose_tiny(**parts)  # with a residual that looks around
    for pipeline in (model, random):
        request = {"prompt": "a red cat in a meadow", "small": [RED, BLUE], "seed": 1}
        expected = pixels(pipeline.generate(**request))
        tiled = pixels(pipeline.generate(**request, tile=8))
        assert np.abs(tiled.astype(int) - expected).max() <= 1
        with Engine(pipeline) as engine:
            jobs = [engine.submit(**request) for _ in range(2)]
            for job in jobs:
                made = pixels(job.result())
                assert np.abs(made.astype(int) - expected).max() <= 1


@pytest.mark.usefixtures("no_agreement")
def test_it_is_saved_with_the_model(model, tmp_path, built_ins):
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu", "float32", atelier=built_ins)
    assert loaded.first_stage.config.known_inputs == ("small", "absent")
    assert (pixels(loaded.generate(small=RED, seed=1)) == (255, 0, 0)).all()


def test_a_model_with_none_of_the_inputs_only_decodes(compose_tiny, parts, monkeypatch):
    name, config = parts["first_stage"]
    known = {"inputs": ("absent",), "channels": 4}
    pipeline = compose_tiny(
        **{**parts, "first_stage": (name, {**config, "conditional_decoder": known})}
    )
    monkeypatch.setattr(pipeline.first_stage, "add_known", None)
    assert len(pipeline.generate(prompt="a red cat in a meadow", seed=1)) == 1


def test_a_conditioner_that_knows_no_pixels_is_refused(compose_tiny, parts):
    name, config = parts["first_stage"]
    known = {"inputs": ("text",), "channels": 4}
    parts["first_stage"] = name, {**config, "conditional_decoder": known}
    with pytest.raises(CompatibilityError, match=r"pixels that 'text' knows.*knows none"):
        compose_tiny(**parts)


def test_an_adapter_of_that_name_that_knows_nothing_is_passed_over(model, without, monkeypatch):
    monkeypatch.setattr(type(model.conditioners["small"].config), "knows_pixels", False)
    request = {"prompt": "a red cat in a meadow", "small": RED, "seed": 1}
    assert np.array_equal(pixels(model.generate(**request)), pixels(without.generate(**request)))


def test_of_a_conditioner_that_knows_no_pixels_nothing_is_known(model):
    builder = model.condition_builder()
    rows = builder.read({"prompt": "a red cat in a meadow", "small": RED})
    geometry = PictureGeometry.of_picture(SIZE, SIZE, model.first_stage)
    known = builder.known_pixels(("small", "text"), rows, 1, geometry)
    assert known.shape == (1, 8, SIZE, SIZE)
    assert known[:, :4].any()
    assert not known[:, 4:].any()


def test_known_pixels_of_a_wrong_shape_name_the_conditioner(model, monkeypatch):
    conditioner = type(model.conditioners["small"])
    monkeypatch.setattr(conditioner, "known_pixels", lambda *_: torch.zeros(1, 3, SIZE, SIZE))
    with pytest.raises(PluginError, match=r"'small' returned known pixels of shape \(1, 3"):
        model.generate(small=RED, seed=1)


@pytest.mark.usefixtures("no_agreement")
def test_windows_and_16_bits_know_the_same_pixels(model):
    wide = Image.new("RGB", (SIZE, SIZE // 2), (255, 0, 0))
    (picture,) = model.generate(small=wide, size=(2 * SIZE, SIZE), window=SIZE, seed=1)
    assert (np.asarray(picture.image) == (255, 0, 0)).all()
    halved = model.to(dtype="bfloat16")
    assert np.abs(pixels(halved.generate(small=RED, seed=1)) - np.array([255, 0, 0])).max() <= 2


@pytest.mark.usefixtures("no_agreement")
def test_offloaded_weights_are_placed_for_it(model, tmp_path, built_ins):
    model.save(tmp_path / "model")
    offloaded = load(tmp_path / "model", "cpu", "bfloat16", offload="components", atelier=built_ins)
    last = list(offloaded.stream(small=RED, seed=1))[-1]
    assert np.abs(pixels(last.pictures) - np.array([255, 0, 0])).max() <= 2
