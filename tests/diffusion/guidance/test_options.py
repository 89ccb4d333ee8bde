"""The options that every rule has, as `cfg` has them."""

import functools

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import cfg


@pytest.fixture
def both(toy):
    """x0 under the condition, and with guidance of scale 4."""
    x0, x0_null = toy.x0(0.7, -0.4), toy.x0(0.1, 0.2)
    return x0, x0_null + 4 * (x0 - x0_null)


def run(toy, condition, null, grid, sigma=2.0, **options):
    return cfg(toy, condition, null, grid, scale=4.0, **options)(toy.x, sigma)


class TestInterval:
    @pytest.mark.parametrize(
        ("sigma", "acts"), [(3.0, False), (2.0, True), (1.0, True), (0.5, False)]
    )
    def test_outside_the_interval_only_the_conditional_estimate_is_computed(
        self, toy, condition, null, grid, both, sigma, acts
    ):
        estimate = run(toy, condition, null, grid, sigma, interval=(1.0, 2.0))
        torch.testing.assert_close(estimate, both[acts])
        assert toy.rows == [1 + acts]

    def test_flow_sigmas_are_converted_to_noise_to_signal_ratios(self, toy, condition, null, both):
        grid = SigmaGrid((1.0, 0.5, 0.0), "flow")
        for sigma, acts in [(1.0, False), (0.76, False), (0.74, True), (0.51, True), (0.49, False)]:
            estimate = run(toy, condition, null, grid, sigma, interval=(1.0, 3.0))
            torch.testing.assert_close(estimate, both[acts])

    def test_sigma_may_differ_per_image(self, toy, condition, null, grid, both):
        sigma = torch.tensor([3.0, 1.5, 0.5])
        estimate = run(toy, condition, null, grid, sigma, interval=(1.0, 2.0))
        for k, acts in enumerate([False, True, False]):
            torch.testing.assert_close(estimate[k], both[acts][k])
        run(toy, condition, null, grid, sigma * 4, interval=(1.0, 1.5))
        assert toy.rows == [2, 1]


class TestRescale:
    @pytest.mark.parametrize("share", [0.3, 1.0])
    def test_rescaling_equals_equations_15_and_16(self, toy, condition, null, grid, both, share):
        x0, moved = both
        estimate = run(toy, condition, null, grid, rescale=share)
        for k in range(3):
            whole = moved[k] * (x0[k].std() / moved[k].std())
            torch.testing.assert_close(estimate[k], share * whole + (1 - share) * moved[k])

    @pytest.mark.parametrize("share", [0.3, 1.0])
    def test_parity_with_diffusers(self, toy, condition, null, grid, both, share):
        utils = pytest.importorskip("diffusers.guiders.guider_utils")
        x0, moved = both
        expected = utils.rescale_noise_cfg(moved, x0, share)
        estimate = run(toy, condition, null, grid, rescale=share)
        torch.testing.assert_close(estimate, expected, rtol=1e-12, atol=1e-12)


class TestThreshold:
    @pytest.mark.parametrize("share", [0.8, 1.0])
    def test_thresholding_equals_its_formula(self, toy, condition, null, grid, both, share):
        x0, moved = both
        estimate = run(toy, condition, null, grid, threshold=share)
        for k in range(3):
            s = moved[k].abs().flatten().quantile(share)
            own = x0[k].abs().flatten().quantile(share)
            assert s > own
            expected = moved[k].clamp(-s, s) / s * own
            torch.testing.assert_close(estimate[k], expected, rtol=1e-6, atol=1e-6)
            assert estimate[k].abs().max() <= own * 1.0001

    def test_values_below_the_threshold_do_not_change(self, toy, null, grid):
        small = toy.condition(0.0, 0.0)
        plain = cfg(toy, small, null, grid, scale=0.9)(toy.x * 5, 2.0)
        x0 = toy.x0(0.0, 0.0, x=toy.x * 5)
        excess = plain.abs().flatten(1).quantile(0.9, 1) > x0.abs().flatten(1).quantile(0.9, 1)
        assert 0 < excess.sum() < 3
        held = cfg(toy, small, null, grid, scale=0.9, threshold=0.9)(toy.x * 5, 2.0)
        for k in range(3):
            assert torch.equal(held[k], plain[k]) != bool(excess[k])


@pytest.mark.parametrize("options", [{"rescale": 0.7}, {"threshold": 0.9}])
def test_images_are_independent_of_the_batch(toy, condition, null, grid, check_rows, options):
    make = functools.partial(cfg, toy, condition, null, grid, scale=4.0, **options)
    check_rows(make, toy.x * torch.tensor([1.0, 3.0, 9.0]).view(-1, 1, 1, 1))


def test_options_combine(toy, condition, null, grid, both):
    x0, _ = both
    estimate = run(toy, condition, null, grid, interval=(1.0, 2.0), rescale=0.5, threshold=0.9)
    rescaled = run(toy, condition, null, grid, rescale=0.5)
    s = rescaled.abs().flatten(1).quantile(0.9, 1).view(-1, 1, 1, 1)
    own = x0.abs().flatten(1).quantile(0.9, 1).view(-1, 1, 1, 1)
    expected = torch.where(s > own, rescaled.clamp(-s, s) / s * own, rescaled)
    torch.testing.assert_close(estimate, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interval": [2.0, 1.0]}, "'interval'.*from a lower to a higher sigma"),
        ({"interval": [-1.0, 1.0]}, "interval.0.*greater than or equal to 0"),
        ({"interval": 3.0}, "'interval'"),
        ({"rescale": 1.1}, "'rescale'"),
        ({"threshold": 0.0}, "'threshold'"),
        ({"cutoff": 1.0}, "no field 'cutoff'.*Known: interval, rescale, scale, threshold"),
    ],
)
def test_invalid_options_are_refused(options, said):
    with pytest.raises(InvalidInputError, match=said):
        read_options(cfg, options, "guidance 'cfg'")


def test_an_interval_is_read_from_a_list():
    assert read_options(cfg, {"interval": [0.5, 2]}, "")["interval"] == (0.5, 2.0)
