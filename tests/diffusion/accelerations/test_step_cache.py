"""What is found at which step."""

import torch

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.accelerations.step_cache import StepCache

GRID = SigmaGrid((8.0, 4.0, 2.0, 1.0, 0.5, 0.0), "ve")
ONE, OTHER = Condition(), Condition()


def computed_at(sigmas, interval=3):
    """Return the sigmas at which a run computes, that calls at these."""
    cache, computed = StepCache(GRID, interval), []
    for sigma in sigmas:
        if cache.find(sigma, [ONE], None) is None:
            cache.keep(sigma, [ONE], None, "value")
            computed.append(sigma)
    return computed


def test_every_third_step_computes():
    assert computed_at(GRID[:-1]) == [8.0, 1.0]


def test_steps_count_and_not_calls():
    """Heun's method calls twice at each sigma, methods of third order between the sigmas."""
    assert computed_at([8.0, 4.0, 4.0, 2.0, 2.0, 1.0, 1.0, 0.5]) == [8.0, 1.0]
    assert computed_at([8.0, 6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.2, 1.0]) == [8.0, 1.0]
    assert computed_at([8.0] * 9) == [8.0]


def test_a_sigma_with_added_noise_is_in_the_step_before():
    assert computed_at([8.4, 4.2, 2.1, 1.05, 0.52]) == [8.4, 1.05]


def test_rounding_does_not_move_a_sigma_to_another_step():
    assert computed_at([8.0, 4.0, 2.0, 1.0000001]) == [8.0, 1.0000001]
    assert computed_at([8.0, 4.0, 2.0, 0.9999999]) == [8.0, 0.9999999]
    assert computed_at([7.9999999, 8.0000001, 2.0]) == [7.9999999]


def test_a_step_back_computes():
    """Also within the steps for which the value was good: x is another one."""
    assert computed_at([8.0, 4.0, 8.0, 4.0]) == [8.0, 8.0]
    assert computed_at([8.0, 4.0, 2.0, 4.0]) == [8.0, 4.0]


def test_each_image_has_its_own_step():
    cache = StepCache(GRID, 2)
    cache.keep(torch.tensor([8.0, 2.0]), [ONE], None, "value")
    assert cache.find(torch.tensor([4.0, 2.0]), [ONE], None) == "value"
    assert cache.find(torch.tensor([4.0, 0.5]), [ONE], None) is None
    assert cache.find(4.0, [ONE], None) is None


def test_calls_differ_by_conditions_and_perturbed_attentions():
    cache, perturbed = StepCache(GRID, 3), Control(perturbed_attention=frozenset({"a"}))
    cache.keep(8.0, [ONE], None, "one")
    cache.keep(8.0, [ONE, OTHER], None, "both")
    cache.keep(8.0, [ONE], perturbed, "perturbed")
    assert cache.find(4.0, [ONE], None) == "one"
    assert cache.find(4.0, [ONE, OTHER], None) == "both"
    assert cache.find(4.0, [OTHER, ONE], None) is None
    assert cache.find(4.0, [ONE], Control(perturbed_attention=frozenset({"a"}))) == "perturbed"


def test_values_out_of_date_are_forgotten():
    """A guidance rule that makes new conditions at every step must not fill the memory."""
    cache = StepCache(GRID, 2)
    for sigma in GRID[:-1]:
        cache.keep(sigma, [Condition()], None, "value")
        assert len(cache._kept) <= 2
