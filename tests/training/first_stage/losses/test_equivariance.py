import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.first_stage import EquivarianceConfig
from latelier.training.first_stage.losses.equivariance import check_divisible, factor_at, shrink


def test_the_steps_with_the_term_are_spread_evenly_and_take_the_factors_in_turn():
    config = EquivarianceConfig(share=0.5, factors=(2, 4))
    factors = [factor_at(config, step) for step in range(8)]
    assert factors == [None, 2, None, 4, None, 2, None, 4]
    every = EquivarianceConfig(share=1.0, factors=(2,))
    assert [factor_at(every, step) for step in range(3)] == [2, 2, 2]


def test_shrinking_averages_squares():
    pixels = torch.tensor([[1.0, 3.0, 5.0, 5.0], [1.0, 3.0, 5.0, 5.0]]).view(1, 1, 2, 4)
    assert shrink(pixels, 2).flatten().tolist() == [2.0, 5.0]


def test_latents_that_cannot_be_shrunk_are_an_error():
    check_divisible(EquivarianceConfig(factors=(2, 4)), 8, 12)
    with pytest.raises(InvalidConfigError, match=r"4 does not divide .* 6 x 8"):
        check_divisible(EquivarianceConfig(factors=(2, 4)), 8, 6)
