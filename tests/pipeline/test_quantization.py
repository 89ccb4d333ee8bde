"""A quantized denoiser gives nearly the same pictures, is recorded, and saves what was loaded."""

from typing import Any

import numpy as np
import pytest
import torch

import latelier
from latelier.contracts.errors import InvalidInputError
from latelier.pipeline import quantization
from latelier.pipeline.replay.replay import replay

REQUEST = {"prompt": "a red apple", "seed": 3, "steps": 4}


def load_model(**options: Any) -> Any:
    return latelier.load("emoji-scenes", "cpu", "bfloat16", **options)


@pytest.fixture(scope="module")
def plain():
    return load_model()


@pytest.fixture(scope="module", params=["int8", "fp8"])
def quantized(request):
    pytest.importorskip("torchao")
    return request.param, load_model(quantize=request.param)


def test_pictures_are_nearly_the_same(plain, quantized):
    name, pipeline = quantized
    one, other = (
        np.asarray(each.generate(**REQUEST)[0].image, dtype=float) for each in (plain, pipeline)
    )
    error = np.square(one - other).mean()
    assert 0 < error < 255**2 / 10**3.5  # 35 dB
    assert quantization.find_quantization(pipeline.denoiser) == name
    assert quantization.find_quantization(plain.denoiser) is None


def test_a_picture_is_recorded_and_replayed(quantized, tmp_path):
    name, pipeline = quantized
    [picture] = pipeline.generate(**REQUEST)
    assert picture.provenance["machine"]["quantized"] == name
    picture.save(tmp_path / "a.png")
    report = replay(tmp_path / "a.png")
    assert (report.verdict, report.differences) == ("identical", ())


def test_save_writes_the_weights_that_were_loaded(plain, quantized, tmp_path):
    _, pipeline = quantized
    pipeline.save(tmp_path / "model")
    saved = latelier.load(tmp_path / "model", "cpu", "bfloat16")
    assert torch.equal(*(each.denoiser.out[2].weight for each in (plain, saved)))
    name = "middle_block.0.emb_layers.1.weight"
    assert torch.equal(*(each.denoiser.get_parameter(name) for each in (plain, saved)))


def test_weights_can_be_replaced_as_by_a_lora(plain, quantized):
    _, pipeline = quantized
    name = "middle_block.0.emb_layers.1.weight"
    weight = plain.denoiser_component.stored.get_parameter(name)
    view = pipeline.denoiser_component.with_weights({name: weight * 2})
    changed = view.module.get_parameter(name)
    assert torch.equal(changed, (weight * 2).to(torch.bfloat16))
    assert quantization.find_quantization(view.module) is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int4"}, "'int4' not found"),
        ({"quantize": "int8", "offload": "blocks"}, "choose `quantize` or `offload`"),
    ],
)
def test_bad_options_are_refused(options, message):
    pytest.importorskip("torchao")
    with pytest.raises(InvalidInputError, match=message):
        load_model(**options)


def test_without_torchao_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    with pytest.raises(InvalidInputError, match=r"latelier\[quantize\]"):
        load_model(quantize="int8")
