import pytest
import torch

from latelier.diffusion.processes.kinds import process_from
from latelier.training.prediction.validation import LevelErrors

FLOW = process_from({"kind": "rectified_flow"})
# two channels of variance 1 and 4, with means 10 and 0
LATENTS = torch.tensor([[[[9.0, 11.0]], [[-2.0, 2.0]]]])
EPS = torch.ones_like(LATENTS)


def measure(predict_x0, levels=(0.25, 0.5), process=FLOW):
    errors = LevelErrors(levels, process)
    errors.add(LATENTS, EPS, predict_x0)
    return errors.summarize()


def test_errors_are_in_units_of_the_variance_within_channels():
    assert measure(lambda x, sigma: LATENTS) == dict.fromkeys(
        ("x0_error", "x0_error_0.25", "x0_error_0.5"), 0.0
    )
    means = torch.tensor([10.0, 0.0]).view(1, 2, 1, 1)
    assert measure(lambda x, sigma: means.expand_as(x))["x0_error"] == pytest.approx(1)


def test_each_level_is_measured_and_the_first_number_is_their_mean():
    found = measure(lambda x, sigma: LATENTS + sigma.view(-1, 1, 1, 1))
    # the mean variance of the channels is 2.5
    assert list(found.items()) == [
        ("x0_error", pytest.approx((0.25**2 + 0.5**2) / 2 / 2.5)),
        ("x0_error_0.25", pytest.approx(0.25**2 / 2.5)),
        ("x0_error_0.5", pytest.approx(0.5**2 / 2.5)),
    ]


@pytest.mark.parametrize(
    ("process", "expected"),
    [({"kind": "rectified_flow"}, 0.25), ({"kind": "vp"}, 1 / 3), ({"kind": "edm"}, 1 / 3)],
)
def test_levels_are_mapped_to_the_frame_of_the_process(process, expected):
    seen = []

    def predict_x0(x, sigma):
        seen.append((sigma.item(), x))
        return x

    process = process_from(process)
    measure(predict_x0, levels=(0.25,), process=process)
    ((sigma, x),) = seen
    assert sigma == pytest.approx(expected)
    torch.testing.assert_close(x, process.noised(LATENTS, EPS, sigma))


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_flat_latents_give_mean_squares(value):
    errors = LevelErrors((0.5,), FLOW)
    latents = torch.full((1, 4, 3, 3), value)
    errors.add(latents, torch.ones_like(latents), lambda x, sigma: latents + 0.5)
    assert errors.summarize()["x0_error"] == pytest.approx(0.25)


def test_batches_add_up():
    together = measure(lambda x, sigma: torch.zeros_like(x), (0.5,))
    errors = LevelErrors((0.5,), FLOW)
    for part in LATENTS.split(1, dim=3):
        errors.add(part, torch.ones_like(part), lambda x, sigma: torch.zeros_like(x))
    assert errors.summarize() == pytest.approx(together)
