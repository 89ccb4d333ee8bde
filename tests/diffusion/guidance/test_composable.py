import functools

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.options import read_options
from latelier.diffusion.guidance.cfg import cfg
from latelier.diffusion.guidance.composable import composable


@pytest.fixture
def named_toy(toy):
    """A toy whose texts have names, as a model's first public input has."""
    named = {"dog": toy.condition(0.9, -0.4), "fog": toy.condition(-0.3, -0.4)}
    toy.condition_for = named.__getitem__
    return toy


def test_prompts_are_added_and_subtracted(named_toy, condition, null, grid):
    toy = named_toy
    also = {"dog": 3.0, "fog": -2.0}
    estimate = composable(toy, condition, null, grid, also=also, scale=4.0)(toy.x, 2.0)
    x0_null = toy.x0(0.1, 0.2)
    expected = x0_null + 4 * (toy.x0(0.7, -0.4) - x0_null)
    expected = expected + 3 * (toy.x0(0.9, -0.4) - x0_null) - 2 * (toy.x0(-0.3, -0.4) - x0_null)
    torch.testing.assert_close(estimate, expected)
    assert toy.rows == [4]


def test_without_further_prompts_it_equals_cfg(named_toy, condition, null, grid):
    toy = named_toy
    estimate = composable(toy, condition, null, grid, also={"fog": 0.0}, scale=4.0)(toy.x, 2.0)
    assert torch.equal(estimate, cfg(toy, condition, null, grid, scale=4.0)(toy.x, 2.0))
    assert toy.rows == [2, 2]


def test_scale_1_without_further_prompts_is_the_conditional_estimate(toy, condition, null, grid):
    estimate = composable(toy, condition, null, grid, also={}, scale=1.0)(toy.x, 2.0)
    assert torch.equal(estimate, toy.x0(0.7, -0.4))
    assert toy.rows == [1]


def test_images_are_independent_of_the_batch(named_toy, condition, null, grid, check_rows):
    options = {"also": {"dog": 3.0}, "rescale": 0.7, "interval": (1.0, 2.0)}
    check_rows(
        functools.partial(composable, named_toy, condition, null, grid, **options), named_toy.x
    )


def test_invalid_conditions_and_options_are_refused(toy, grid):
    with pytest.raises(CompatibilityError, match="'composable' needs a null condition"):
        composable(toy, Condition(), Condition(), grid, also={"dog": 1.0})
    with pytest.raises(InvalidInputError, match="also"):
        read_options(composable, {"also": {"dog": "big"}}, "guidance 'composable'")
