import math
from itertools import pairwise

import pytest
import torch

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.brownian import BrownianNoise
from latelier.diffusion.noise import PerImageNoise
from latelier_samplers.ddim import ddim

SHAPE = (4, 8, 8)
FRAMES = ["ve", "flow"]
SIGMAS = {"ve": [14.6, 6.0, 2.0, 0.7, 0.2, 0.03], "flow": [1.0, 0.8, 0.55, 0.3, 0.1, 0.02]}


def increments(noise, sigmas):
    return [noise(sigma, to) for sigma, to in pairwise(sigmas)]


@pytest.mark.parametrize("frame", FRAMES)
def test_steps_are_of_unit_variance_and_independent(frame):
    noise = BrownianNoise(range(4), (4, 64, 64), frame)
    draws = torch.stack([noise.initial(), *increments(noise, SIGMAS[frame])])
    assert draws.dtype == torch.float32
    assert draws.mean().item() == pytest.approx(0, abs=0.01)
    assert draws.std((1, 2, 3, 4)).tolist() == pytest.approx([1] * 6, abs=0.01)
    correlations = draws.flatten(1).corrcoef() - torch.eye(6)
    assert correlations.abs().max() < 0.02
    images = draws.transpose(0, 1).flatten(1).corrcoef() - torch.eye(4)
    assert images.abs().max() < 0.02


@pytest.mark.parametrize("frame", FRAMES)
def test_two_half_steps_add_up_to_the_full_step(frame):
    """Whatever the steps before: each noise object here has other steps."""

    def snr(sigma):
        return math.exp(2 * SigmaGrid(SIGMAS[frame], frame).half_log_snr(sigma))

    a, b, c = SIGMAS[frame][1:4]
    whole = BrownianNoise([3, 4], SHAPE, frame)(a, c)
    noise = BrownianNoise([3, 4], SHAPE, frame)
    second, first = noise(b, c), noise(a, b)
    share = (snr(b) - snr(a)) / (snr(c) - snr(a))
    summed = first * math.sqrt(share) + second * math.sqrt(1 - share)
    torch.testing.assert_close(summed, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("k", [0, 1, 2])
def test_noise_of_an_image_does_not_depend_on_the_batch(frame, k):
    batch, alone = BrownianNoise([5, 6, 7], SHAPE, frame), BrownianNoise([5 + k], SHAPE, frame)
    assert torch.equal(batch.initial()[k : k + 1], alone.initial())
    for draw, single in zip(increments(batch, SIGMAS[frame]), increments(alone, SIGMAS[frame])):
        assert torch.equal(draw[k : k + 1], single)


def test_the_initial_noise_equals_independent_noise():
    assert torch.equal(
        BrownianNoise([5, 6], SHAPE, "ve").initial(), PerImageNoise([5, 6], SHAPE).initial()
    )


def test_noise_for_ascending_steps_is_independent():
    """Restarts over the same interval must not get the same noise again."""
    noise = BrownianNoise([0], (4, 64, 64), "ve")
    draws = torch.stack([noise(0.1, 2.0), noise(0.1, 2.0), noise(2.0, 0.1)])
    correlations = draws.flatten(1).corrcoef() - torch.eye(3)
    assert correlations.abs().max() < 0.04


@pytest.mark.parametrize("frame", FRAMES)
def test_ancestral_steps_to_a_fixed_x0_do_not_depend_on_step_count(frame):
    x0, sigmas = torch.ones(1, *SHAPE, dtype=torch.float64), SIGMAS[frame]
    ends = []
    for chosen in (sigmas, sigmas[::5], [sigmas[0], sigmas[3], sigmas[5]]):
        noise = BrownianNoise([1], SHAPE, frame)
        x = noise.initial().double()
        *_, step = ddim(lambda x, s: x0, x, SigmaGrid(chosen, frame), noise=noise, eta=1.0)
        ends.append(step.x)
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ends[0], ends[2], rtol=1e-5, atol=1e-6)


def test_more_steps_converge_to_one_picture():
    def end(steps, kind):
        grid = SigmaGrid([10 * 0.002 ** (i / steps) for i in range(steps + 1)], "ve")
        noise = kind([1])
        x = 10 * noise.initial().double()
        *_, step = ddim(lambda x, s: torch.tanh(4 * x / (1 + s)), x, grid, noise=noise, eta=1.0)
        return step.x

    def brownian(seeds):
        return BrownianNoise(seeds, SHAPE, "ve")

    def independent(seeds):
        return PerImageNoise(seeds, SHAPE)

    away = [(end(steps, brownian) - end(800, brownian)).norm().item() for steps in (50, 200)]
    assert away[1] < away[0] / 2
    assert away[1] < (end(200, independent) - end(800, independent)).norm() / 4


@pytest.mark.parametrize(
    ("frame", "sigma_from", "sigma_to"),
    [("ve", 1e-8, 1e-9), ("ve", 1e9, 1e8), ("flow", 1.0, 1 - 1e-9)],
)
def test_steps_beyond_the_path_still_have_noise(frame, sigma_from, sigma_to):
    noise = BrownianNoise([0], (64, 64), frame)(sigma_from, sigma_to)
    assert noise.std().item() == pytest.approx(1, abs=0.05)
