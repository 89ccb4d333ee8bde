import pytest
import torch

from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.guidance.energy import apply_energy_guidance

GAIN = 0.3


@pytest.fixture
def x():
    return torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def y():
    return torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def denoise(x, sigma):
    return GAIN * x


def distance_to(y):
    return lambda x0, x, sigma: (x0 - y[: len(x0)]).square().sum((1, 2, 3)) / 2


@pytest.mark.parametrize(("frame", "alpha"), [("ve", 1.0), ("flow", 0.4)])
def test_eps_gets_the_gradient_as_in_classifier_guidance(x, y, frame, alpha):
    sigma, strength = 0.6, 2.5
    moved = apply_energy_guidance("e", denoise, distance_to(y), frame, strength)(x, sigma)
    eps = (x - alpha * GAIN * x) / sigma
    eps_moved = eps + strength * sigma * GAIN * (GAIN * x - y)
    torch.testing.assert_close(moved, (x - sigma * eps_moved) / alpha)


def test_guidance_samples_a_gaussian_posterior(x, y):
    """With data and a measurement of x0 that are Gaussian, the guided mean is that of Bayes' rule.

    A measurement of x0 with variance v has the likelihood N(y; x0_hat, v + own variance) given x.
    """
    sigma, v = 0.7, 0.5
    own = sigma**2 / (1 + sigma**2)  # of x0 ~ N(0, 1) given x

    def mean(x, sigma):
        return x / (1 + sigma**2)

    def energy(x0, x, sigma):
        return (x0 - y).square().sum((1, 2, 3)) / (2 * (v + own))

    moved = apply_energy_guidance("e", mean, energy, "ve", 1.0)(x, sigma)
    posterior = (x / sigma**2 + y / v) / (1 + 1 / sigma**2 + 1 / v)
    torch.testing.assert_close(moved, posterior)


def test_an_energy_of_x_alone_works_like_a_noisy_classifier(x):
    def energy(x0, x, sigma):
        return (x * torch.as_tensor(sigma).view(-1, 1, 1, 1)).square().sum((1, 2, 3)) / 2

    sigma = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    moved = apply_energy_guidance("e", denoise, energy, "ve", 1.0)(x, sigma)
    torch.testing.assert_close(moved, GAIN * x - sigma.view(-1, 1, 1, 1) ** 4 * x)


def test_x0_does_not_change_at_pure_noise(x, y):
    moved = apply_energy_guidance("e", denoise, distance_to(y), "flow", 1.0)(x, 1.0)
    assert torch.equal(moved, GAIN * x)


def test_works_under_no_grad_and_leaves_no_graph(x, y):
    guided = apply_energy_guidance("e", denoise, distance_to(y), "ve", 1.0)
    with torch.no_grad():
        moved = guided(x, 0.6)
    elsewhere = guided(x, 0.6)
    assert torch.equal(moved, elsewhere)
    assert not any(each.requires_grad for each in (x, moved, elsewhere))


def test_images_are_independent_of_the_batch(x, y):
    guided = apply_energy_guidance("e", denoise, distance_to(y), "ve", 1.0)
    torch.testing.assert_close(guided(x, 0.6)[:1], guided(x[:1], 0.6))


@torch.no_grad()
def constant(x, sigma):
    return GAIN * x


@pytest.mark.parametrize(
    ("of", "energy"),
    [
        (constant, lambda x0, x, sigma: x0.square().sum((1, 2, 3))),
        (denoise, lambda x0, x, sigma: (x0 > 0).double().sum((1, 2, 3))),
        (denoise, lambda x0, x, sigma: torch.ones(len(x), requires_grad=True)),
    ],
    ids=["model", "energy", "elsewhere"],
)
def test_a_non_differentiable_energy_is_an_error(x, of, energy):
    with pytest.raises(CompatibilityError, match="'e' needs the gradient of its energy"):
        apply_energy_guidance("e", of, energy, "ve", 1.0)(x, 0.6)
