"""The denoiser evaluations of a request are limited, before the run and while it goes on."""

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.pipeline.tiling.windows import count_windows, make_windows

REQUEST = {"prompt": "a cat", "seed": 1, "schedule": "karras"}


@pytest.mark.parametrize(
    ("options", "field", "count"),
    [
        ({"steps": 9}, "steps", 9),
        ({"steps": 2, "n": 5}, "n", 10),
        ({"steps": 4, "sampler": "heun"}, "steps", 8),
        ({"steps": 1, "size": 64, "window": 16, "overlap": 0.0}, "window", 16),
    ],
)
def test_too_many_evaluations_are_refused_before_the_run(tiny, options, field, count):
    served = tiny.with_limits(evaluations=count - 1)
    with pytest.raises(InvalidInputError) as caught:
        served.stream(**REQUEST, **options)
    assert caught.value.field == field
    assert f"{count} evaluations of the denoiser" in str(caught.value)
    assert f"LATELIER_MAX_EVALUATIONS={count} " in str(caught.value)
    tiny.with_limits(evaluations=count).stream(**REQUEST, **options)


def test_resampling_counts(tiny, photo):
    options = {"init_image": photo, "mask": photo.convert("L"), "repaint_resamples": 50}
    with pytest.raises(InvalidInputError, match="repaint_resamples") as caught:
        tiny.with_limits(evaluations=99).stream(**REQUEST, **options, steps=2)
    assert caught.value.field == "repaint_resamples"


def test_a_sampler_that_restarts_cannot_exceed_the_limit(tiny):
    served = tiny.with_limits(evaluations=100)
    sampler = {"name": "restart", "intervals": [[4, 1000, 0.1, 2.0]]}
    previews = served.stream(**REQUEST, steps=4, sampler=sampler)
    with pytest.raises(InvalidInputError, match="more than 100 denoiser evaluations") as caught:
        list(previews)
    assert caught.value.field == "sampler"


def test_all_batches_of_a_request_share_the_limit(tiny):
    sampler = {"name": "restart", "intervals": [[4, 5, 0.1, 2.0]]}
    options = {**REQUEST, "steps": 4, "sampler": sampler, "n": 3, "batch_size": 1}
    served = tiny.with_limits(evaluations=50)
    assert len(served.generate(**{**options, "n": 1})) == 1
    with pytest.raises(InvalidInputError, match="more than 50 denoiser evaluations"):
        served.generate(**options)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.8])
def test_windows_are_counted_as_they_are_made(overlap):
    for size, side in (((8, 8), (4, 4)), ((10, 7), (4, 16)), ((33, 64), (8, 5))):
        assert count_windows(size, side, overlap) == len(make_windows(size, side, overlap))
