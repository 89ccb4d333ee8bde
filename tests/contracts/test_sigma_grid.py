import math

import pytest
import torch

from latelier.contracts import frames
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid


@pytest.mark.parametrize(
    ("sigmas", "frame", "message"),
    [
        ([1.0], "ve", "at least two sigmas, not 1"),
        ([], "ve", "at least two sigmas, not 0"),
        ([3.0, 2.0, 2.0, 0.0], "ve", "must decrease: number 1 is 2, number 2 2"),
        ([1.0, 2.0], "ve", "must decrease: number 0 is 1, number 1 2"),
        ([math.nan, 1.0], "ve", "must decrease"),
        ([1.0, math.nan], "ve", "must decrease"),
        ([math.inf, 1.0], "ve", "'ve' frame lie between 0 and inf"),
        ([1.0, -0.1], "ve", "not -0.1 and 1"),
        ([1.1, 0.0], "flow", "'flow' frame lie between 0 and 1, not 0 and 1.1"),
    ],
)
def test_an_invalid_grid_is_refused(sigmas, frame, message):
    with pytest.raises(InvalidInputError, match=message):
        SigmaGrid(sigmas, frame)


def test_sigmas_become_floats():
    grid = SigmaGrid(torch.tensor([1.0, 0.5, 0.0]), "flow")
    assert grid.sigmas == (1.0, 0.5, 0.0)
    assert all(type(sigma) is float for sigma in grid.sigmas)
    assert grid.steps == 2


def test_it_is_a_sequence_of_its_sigmas():
    grid = SigmaGrid((3.0, 2.0, 0.0), "ve")
    assert list(grid) == [3.0, 2.0, 0.0]
    assert len(grid) == 3
    assert (grid[0], grid[-1], grid[1:]) == (3.0, 0.0, (2.0, 0.0))


@pytest.mark.parametrize(("frame", "alpha"), [("ve", 1.0), ("flow", 0.75)])
def test_alpha_and_half_log_snr_equal_their_formulas(frame, alpha):
    grid = SigmaGrid((0.5, 0.25, 0.0), frame)
    assert grid.alpha(0.25) == alpha
    assert grid.half_log_snr(0.25) == pytest.approx(math.log(alpha / 0.25))
    assert grid.half_log_snr(0.0) == math.inf


def test_pure_noise_has_no_signal():
    grid = SigmaGrid((1.0, 0.0), "flow")
    assert grid.alpha(1.0) == 0
    assert grid.half_log_snr(1.0) == -math.inf


@pytest.mark.parametrize("frame", ["ve", "flow"])
@pytest.mark.parametrize("sigma", [0.0, 1e-9, 0.3, 0.999])
def test_sigma_at_undoes_half_log_snr(frame, sigma):
    assert frames.sigma_at(frame, frames.half_log_snr(frame, sigma)) == pytest.approx(
        sigma, rel=1e-12
    )


def test_pure_noise_is_located_per_frame():
    assert frames.sigma_at("flow", -math.inf) == 1
    assert frames.sigma_at("ve", -math.inf) == math.inf
