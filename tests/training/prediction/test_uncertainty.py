import torch

from latelier.training.configs.loss import UncertaintyConfig
from latelier.training.prediction.uncertainty import Uncertainty

LEVELS = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.95])
LOSSES = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.05])


def make_uncertainty():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Uncertainty(UncertaintyConfig(channels=64))


def test_it_changes_nothing_at_the_start():
    assert torch.equal(make_uncertainty()(LOSSES, LEVELS), LOSSES)


def test_it_learns_the_logarithm_of_the_loss_at_each_level():
    uncertainty = make_uncertainty()
    optimizer = torch.optim.Adam(uncertainty.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        uncertainty(LOSSES, LEVELS).mean().backward()
        optimizer.step()
    # at its minimum L / exp(u) + u is 1 + log L
    torch.testing.assert_close(uncertainty(LOSSES, LEVELS), 1 + LOSSES.log(), atol=0.02, rtol=0)


def test_pure_noise_and_no_noise_are_finite():
    assert make_uncertainty()(torch.ones(2), torch.tensor([0.0, 1.0])).isfinite().all()
