import functools

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.options import read_options
from latelier.diffusion.guidance.cfg import cfg
from latelier.diffusion.guidance.pag import pag


class Supporting(DenoiserConfig):
    @property
    def supports(self):
        return frozenset({"perturbed_attention"})


def test_combines_with_cfg(toy, condition, null, grid):
    estimate = pag(toy, condition, null, grid, pag_scale=2.0, scale=4.0)(toy.x, 2.0)
    x0, x0_null = toy.x0(0.7, -0.4), toy.x0(0.1, 0.2)
    perturbed = toy.x0(0.7, -0.4, perturbed=True)
    expected = x0_null + 4 * (x0 - x0_null) + 2 * (x0 - perturbed)
    torch.testing.assert_close(estimate, expected)
    assert toy.rows == [2, 1]
    assert [control and control.perturbed_attention for *_, control in toy.calls] == [
        None,
        {"middle"},
    ]


def test_without_cfg_it_needs_no_null_condition(toy, condition, grid):
    estimate = pag(toy, condition, Condition(), grid, pag_scale=2.0, scale=1.0)(toy.x, 2.0)
    x0, perturbed = toy.x0(0.7, -0.4), toy.x0(0.7, -0.4, perturbed=True)
    torch.testing.assert_close(estimate, x0 + 2 * (x0 - perturbed))
    assert toy.rows == [1, 1]


def test_pag_scale_0_equals_cfg(toy, condition, null, grid):
    estimate = pag(toy, condition, null, grid, pag_scale=0.0, scale=4.0)(toy.x, 2.0)
    torch.testing.assert_close(estimate, cfg(toy, condition, null, grid, scale=4.0)(toy.x, 2.0))
    assert toy.rows == [2, 2]


def test_both_scales_off_is_the_conditional_estimate(toy, condition, null, grid):
    estimate = pag(toy, condition, null, grid, pag_scale=0.0, scale=1.0)(toy.x, 2.0)
    assert torch.equal(estimate, toy.x0(0.7, -0.4))
    assert toy.rows == [1]


def test_parity_with_diffusers(toy, condition, null, grid):
    guiders = pytest.importorskip("diffusers.guiders")
    theirs = guiders.PerturbedAttentionGuidance(
        guidance_scale=4.0,
        perturbed_guidance_scale=2.0,
        perturbed_guidance_layers=[0],
        guidance_rescale=0.6,
    )
    sides = toy.x0(0.7, -0.4), toy.x0(0.1, 0.2), toy.x0(0.7, -0.4, perturbed=True)
    estimate = pag(toy, condition, null, grid, pag_scale=2.0, scale=4.0, rescale=0.6)(toy.x, 2.0)
    torch.testing.assert_close(estimate, theirs.forward(*sides).pred, rtol=1e-5, atol=1e-5)


def test_outside_its_interval_it_costs_one_call(toy, condition, null, grid):
    assert torch.equal(
        pag(toy, condition, null, grid, interval=(0.0, 1.0))(toy.x, 2.0), toy.x0(0.7, -0.4)
    )
    assert toy.rows == [1]


def test_layers_are_chosen_by_name(toy, condition, null, grid):
    pag(toy, condition, null, grid, layers=("a", "b"))(toy.x, 2.0)
    assert toy.calls[-1][2].perturbed_attention == {"a", "b"}


def test_images_are_independent_of_the_batch(toy, condition, null, grid, check_rows):
    check_rows(functools.partial(pag, toy, condition, null, grid, threshold=0.9), toy.x)


def test_an_unsupported_model_is_an_error(make_toy, condition, null, grid):
    with pytest.raises(CompatibilityError, match="that supports 'perturbed_attention'"):
        pag(make_toy(config=DenoiserConfig()), condition, null, grid)
    with pytest.raises(
        CompatibilityError, match=r"does not name its middle self-attention.*option layers"
    ):
        pag(make_toy(config=Supporting()), condition, null, grid)
    pag(make_toy(config=Supporting()), condition, null, grid, layers=("a",))
    with pytest.raises(CompatibilityError, match="'pag' needs a null condition"):
        pag(make_toy(), Condition(), Condition(), grid)


@pytest.mark.parametrize("options", [{"layers": []}, {"pag_scale": -1.0}, {"layers": "middle"}])
def test_invalid_options_are_refused(options):
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        read_options(pag, options, "guidance 'pag'")
