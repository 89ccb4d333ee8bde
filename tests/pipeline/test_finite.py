"""NaN and infinity anywhere between weights and pixels end a run with an error."""

import math

import pytest

from latelier.contracts.errors import NotFiniteError

REQUEST = {"prompt": "a red cat", "seed": 5, "steps": 3}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["denoiser", "conditioners.text"])
def test_weights_that_are_not_finite_are_named(compose_tiny, place, value):
    pipeline = compose_tiny()
    name, weights = next(iter(pipeline.components()[place].module.named_parameters()))
    weights.fill_(value)
    with pytest.raises(NotFiniteError) as caught:
        pipeline.generate(**REQUEST)
    assert str(caught.value).startswith("step 1 of 3 to sigma 0.")
    assert f"weights of '{place}' hold such values themselves ('{name}')" in str(caught.value)


def test_a_first_stage_that_is_not_finite_is_found_at_the_decoded_image(compose_tiny):
    pipeline = compose_tiny()
    for weights in pipeline.first_stage.decoder.parameters():
        weights.fill_(math.nan)
    with pytest.raises(NotFiniteError, match=r"decoded image: .*weights of 'first_stage'"):
        pipeline.generate(**REQUEST)


def test_a_guidance_scale_beyond_all_numbers_is_the_likely_cause(tiny):
    with pytest.raises(NotFiniteError, match=r"guidance option scale=1e\+38.* lower it"):
        tiny.generate(**REQUEST, guidance=1e38)


def test_float16_that_overflows_is_the_likely_cause(compose_tiny):
    pipeline = compose_tiny()
    for weights in pipeline.denoiser.parameters():
        weights.mul_(300)
    with pytest.raises(NotFiniteError, match=r"float16 ends at 65504.*bfloat16 or float32"):
        pipeline.to(dtype="float16").generate(**REQUEST, guidance=1.0)


def test_no_picture_and_no_preview_of_it_is_given(compose_tiny):
    pipeline = compose_tiny()
    next(pipeline.denoiser.parameters()).fill_(math.nan)
    previews = []
    with pytest.raises(NotFiniteError):
        previews.extend(pipeline.stream(**REQUEST))
    assert previews == []


def test_a_run_of_finite_numbers_is_left_alone(tiny):
    assert len(tiny.generate(**REQUEST)) == 1
