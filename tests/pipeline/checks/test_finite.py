"""NaN and infinity anywhere between weights and pixels end a run with an error."""

import math

import pytest
import torch

from latelier.contracts.errors import NotFiniteError
from latelier.pipeline.checks.finite import is_finite

REQUEST = {"prompt": "a red cat", "seed": 5, "steps": 3}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["denoiser", "conditioners.text"])
def test_non_finite_weights_are_named(compose_tiny, place, value):
    pipeline = compose_tiny()
    name, weights = next(iter(pipeline.components()[place].module.named_parameters()))
    weights.fill_(value)
    with pytest.raises(NotFiniteError) as caught:
        pipeline.generate(**REQUEST)
    assert str(caught.value).startswith("step 1 of 3 to sigma 0.")
    assert f"weights of '{place}' hold such values themselves ('{name}')" in str(caught.value)


def test_non_finite_decoding_names_the_first_stage(compose_tiny):
    pipeline = compose_tiny()
    for weights in pipeline.first_stage.decoder.parameters():
        weights.fill_(math.nan)
    with pytest.raises(NotFiniteError, match=r"decoded image: .*weights of 'first_stage'"):
        pipeline.generate(**REQUEST)


def test_a_huge_guidance_scale_is_named_as_the_likely_cause(compose_tiny):
    pipeline = compose_tiny()
    *_, weights, _bias = pipeline.denoiser.parameters()
    weights.mul_(1e36)
    with pytest.raises(NotFiniteError, match=r"guidance option scale=10000.* lower it"):
        pipeline.generate(**REQUEST, guidance=1e4)


def test_float16_overflow_is_named_as_the_likely_cause(compose_tiny):
    pipeline = compose_tiny()
    for weights in pipeline.denoiser.parameters():
        weights.mul_(300)
    with pytest.raises(NotFiniteError, match=r"float16 ends at 65504.*bfloat16 or float32"):
        pipeline.to(dtype="float16").generate(**REQUEST, guidance=1.0)


def test_non_finite_runs_yield_no_picture_or_preview(compose_tiny):
    pipeline = compose_tiny()
    next(pipeline.denoiser.parameters()).fill_(math.nan)
    previews = []
    with pytest.raises(NotFiniteError):
        previews.extend(pipeline.stream(**REQUEST))
    assert previews == []


def test_a_finite_run_raises_nothing(tiny):
    assert len(tiny.generate(**REQUEST)) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_not_finite_is_found(dtype, wrong):
    values = torch.randn(2, 3, 8, 8).to(dtype)
    assert is_finite(values)
    values[1, 2, 3, 4] = wrong
    assert not is_finite(values)
    values[0, 0, 0, 0] = -wrong  # infinities of both signs
    assert not is_finite(values)


def test_finite_values_whose_sum_overflows_are_finite():
    assert is_finite(torch.full((8, 8), torch.finfo(torch.float32).max))
    assert is_finite(torch.full((8, 8), torch.finfo(torch.float16).max, dtype=torch.float16))
