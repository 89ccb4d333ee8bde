import pytest
import torch

from latelier.diffusion.noise import PerImageNoise

SHAPE = (4, 8, 8)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_image_k_alone_has_the_noise_of_image_k_in_a_batch(k):
    batch, alone = PerImageNoise([5, 6, 7], SHAPE), PerImageNoise([5 + k], SHAPE)
    draws = [batch.initial(), batch(2.0, 1.0), batch(1.0, 0.5)]
    singles = [alone.initial(), alone(2.0, 1.0), alone(1.0, 0.5)]
    for draw, single in zip(draws, singles, strict=True):
        assert draw.shape == (3, *SHAPE)
        assert torch.equal(draw[k : k + 1], single)


def test_draws_are_float32_of_unit_variance_and_all_different():
    noise = PerImageNoise([0, 1], (4, 64, 64))
    draws = torch.cat([noise.initial(), noise(2.0, 1.0), noise(1.0, 0.5)])
    assert draws.dtype == torch.float32
    assert draws.mean().item() == pytest.approx(0, abs=0.02)
    assert draws.std().item() == pytest.approx(1, abs=0.02)
    correlations = draws.flatten(1).corrcoef() - torch.eye(6)
    assert correlations.abs().max() < 0.05


def test_it_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    PerImageNoise([0], SHAPE).initial()
    assert torch.equal(torch.get_rng_state(), before)
