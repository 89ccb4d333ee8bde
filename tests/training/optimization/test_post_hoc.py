import pytest
import torch
from torch import nn

from latelier.training.optimization.ema import Ema
from latelier.training.optimization.post_hoc import combine, post_hoc_coefficients

STEPS, LENGTHS = 2000, (0.05, 0.10)


def test_an_average_of_another_length_is_made_from_snapshots():
    """A random walk is averaged at length 0.07 during the run and from snapshots after it."""
    torch.manual_seed(0)
    module = nn.Linear(4, 1, bias=False)
    averages, wanted = [Ema(module, length) for length in LENGTHS], Ema(module, 0.07)
    snapshots, weights = [], []
    for step in range(1, STEPS + 1):
        with torch.no_grad():
            module.weight.add_(0.1 * torch.randn_like(module.weight))
        for each in (*averages, wanted):
            each.update()
        if step % (STEPS // 20) == 0:
            for each in averages:
                snapshots.append((step, each.length))
                weights.append({name: tensor.clone() for name, tensor in each.weights.items()})
    coefficients = post_hoc_coefficients(snapshots, STEPS, 0.07)
    made = combine(weights, coefficients)["weight"]
    between = (averages[0].weights["weight"] - averages[1].weights["weight"]).abs().max()
    assert coefficients.sum().item() == pytest.approx(1, abs=1e-3)
    assert (made - wanted.weights["weight"]).abs().max() < 0.02 * between


def test_a_stored_average_is_found_exactly():
    coefficients = post_hoc_coefficients([(50, 0.05), (100, 0.05), (100, 0.1)], 100, 0.1)
    assert coefficients.tolist() == pytest.approx([0, 0, 1], abs=1e-6)


def test_large_steps_do_not_overflow():
    coefficients = post_hoc_coefficients([(10**6, 0.05), (10**7, 0.05)], 10**7, 0.02)
    assert coefficients.isfinite().all()


def test_integers_are_those_of_the_last_average():
    averages = [{"n": torch.tensor(3)}, {"n": torch.tensor(7)}]
    assert combine(averages, torch.tensor([0.5, 0.5]))["n"].item() == 7
