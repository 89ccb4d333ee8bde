import functools

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.guidance.apg import apg
from latelier.diffusion.guidance.cfg import cfg

PLAIN = {"eta": 1.0, "norm_threshold": None, "momentum": 0.0}


def by_hand(pairs, scale, eta, radius, momentum):
    """Algorithm 1 over several steps, image by image; pairs: x0 and x0_null of each."""
    average, results = 0.0, []
    for x0, x0_null in pairs:
        average = x0 - x0_null + momentum * average
        result = []
        for difference, one in zip(average, x0, strict=True):
            cut = difference * min(1.0, radius / float(difference.norm()))
            along = (cut * one).sum() / (one * one).sum() * one
            result.append(one + (scale - 1) * (cut - along + eta * along))
        results.append(torch.stack(result))
    return results


@pytest.mark.parametrize("eta", [0.0, 0.4])
def test_estimates_equal_algorithm_1(toy, condition, null, grid, eta):
    denoise = apg(toy, condition, null, grid, scale=7.0, eta=eta, norm_threshold=4.0, momentum=-0.5)
    xs = [toy.x, 0.7 * toy.x, -0.2 * toy.x]
    estimates = [denoise(x, sigma) for x, sigma in zip(xs, grid.sigmas)]
    pairs = [(toy.x0(0.7, -0.4, x=x), toy.x0(0.1, 0.2, x=x)) for x in xs]
    for estimate, expected in zip(estimates, by_hand(pairs, 7.0, eta, 4.0, -0.5), strict=True):
        torch.testing.assert_close(estimate, expected)
    assert toy.rows == [2, 2, 2]


def test_parity_with_diffusers(toy, condition, null, grid):
    guiders = pytest.importorskip("diffusers.guiders")
    options = {"eta": 0.3, "guidance_scale": 6.0, "use_original_formulation": True}
    theirs = guiders.AdaptiveProjectedGuidance(
        adaptive_projected_guidance_momentum=-0.5,
        adaptive_projected_guidance_rescale=4.0,
        **options,
    )
    theirs.momentum_buffer = guiders.adaptive_projected_guidance.MomentumBuffer(-0.5)
    ours = apg(toy, condition, null, grid, scale=7.0, eta=0.3, norm_threshold=4.0, momentum=-0.5)
    for x, sigma in zip([toy.x, 0.7 * toy.x, -0.2 * toy.x], grid.sigmas):
        expected = theirs.forward(toy.x0(0.7, -0.4, x=x), toy.x0(0.1, 0.2, x=x)).pred
        torch.testing.assert_close(ours(x, sigma), expected, rtol=1e-5, atol=1e-5)


def test_without_its_options_it_equals_cfg(toy, condition, null, grid):
    expected = cfg(toy, condition, null, grid, scale=4.0)(toy.x, 2.0)
    estimate = apg(toy, condition, null, grid, scale=4.0, **PLAIN)(toy.x, 2.0)
    torch.testing.assert_close(estimate, expected)


def test_scale_1_is_the_conditional_estimate(toy, condition, null, grid):
    assert torch.equal(apg(toy, condition, null, grid, scale=1.0)(toy.x, 2.0), toy.x0(0.7, -0.4))
    assert toy.rows == [1]


def test_the_running_average_restarts_with_each_run(toy, condition, null, grid):
    denoise = apg(toy, condition, null, grid)
    first = denoise(toy.x, 3.0)
    assert not torch.equal(denoise(toy.x, 2.0), first)
    assert torch.equal(denoise(toy.x, torch.full((3,), 3.0)), first)


def test_images_are_independent_of_the_batch(toy, condition, null, grid, check_rows):
    check_rows(functools.partial(apg, toy, condition, null, grid, norm_threshold=4.0), toy.x)


def test_shared_options_apply(toy, condition, null, grid):
    x0 = toy.x0(0.7, -0.4)
    outside = apg(toy, condition, null, grid, interval=(0.0, 1.0))(toy.x, 2.0)
    assert torch.equal(outside, x0)
    rescaled = apg(toy, condition, null, grid, rescale=1.0)(toy.x, 2.0)
    torch.testing.assert_close(rescaled.std((1, 2, 3)), x0.std((1, 2, 3)))


def test_a_model_without_a_null_condition_is_an_error(toy, grid):
    with pytest.raises(CompatibilityError, match="'apg'"):
        apg(toy, Condition(), Condition(), grid)
