import pytest
import torch

from latelier.diffusion.noise import PerImageNoise

SHAPE = (4, 8, 8)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_noise_of_an_image_does_not_depend_on_the_batch(k):
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


def test_the_global_random_state_is_unchanged():
    before = torch.get_rng_state()
    PerImageNoise([0], SHAPE).initial()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("high", [2**32, 2**40, 2**62])
def test_high_bits_of_the_seed_change_the_noise(high):
    """torch's CPU generator reads the low 32 bits of a seed alone."""
    low = PerImageNoise([5], SHAPE).initial()
    assert not torch.equal(PerImageNoise([5 + high], SHAPE).initial(), low)


def test_seeds_below_2_to_the_32_equal_the_seeds_of_a_torch_generator():
    for seed in (0, 5, 2**32 - 1):
        expected = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(PerImageNoise([seed], SHAPE).initial()[0], expected)


@pytest.mark.parametrize("first", [2**32 - 3, 2**32 + 7, 2**63 - 6])
def test_images_in_a_batch_have_different_noise(first):
    draws = PerImageNoise(range(first, first + 6), SHAPE).initial().flatten(1)
    assert len({tuple(draw.tolist()) for draw in draws}) == 6
