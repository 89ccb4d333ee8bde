import pytest
import torch

from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.training.first_stage.report import Measurement, measure
from latelier.training.first_stage.whitening import whiten, whitening_matrices

IMAGES = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def autoencoder() -> AutoencoderKL:
    torch.manual_seed(0)
    config = AutoencoderKLConfig(
        ch=8, ch_mult=(1, 1), num_res_blocks=1, num_groups=2, scale_factor=0.3, shift_factor=0.5
    )
    return AutoencoderKL(config).eval()


def measured(autoencoder: AutoencoderKL) -> Measurement:
    return measure(autoencoder, [IMAGES], None)


def whitened(autoencoder: AutoencoderKL) -> AutoencoderKL:
    found = measured(autoencoder)
    assert found.posterior_variance is not None
    return whiten(
        autoencoder, found.latents.mean, found.latents.covariance, found.posterior_variance
    )


@torch.no_grad()
def test_reconstructions_stay_the_same(autoencoder):
    result = whitened(autoencoder)
    expected = autoencoder.decode(autoencoder.encode(IMAGES))
    torch.testing.assert_close(result.decode(result.encode(IMAGES)), expected, atol=1e-5, rtol=0)
    assert (result.config.scale_factor, result.config.shift_factor) == (1, 0)


def test_latents_have_mean_0_and_the_identity_as_covariance(autoencoder):
    found = measured(whitened(autoencoder)).latents
    torch.testing.assert_close(found.mean, torch.zeros_like(found.mean), atol=1e-4, rtol=0)
    identity = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(found.covariance, identity, atol=1e-3, rtol=0)


def test_weak_directions_are_not_amplified_to_variance_1():
    covariance = torch.diag(torch.tensor([2.0, 1.0, 0.0]).double())
    forward, backward = whitening_matrices(covariance)
    torch.testing.assert_close(backward @ forward, torch.eye(3, dtype=torch.float64))
    scaled = (forward @ covariance @ forward.T).diagonal()
    assert scaled.tolist() == pytest.approx([1, 1, 0])
    assert forward.abs().max().item() == pytest.approx(0.01**-0.5)


@torch.no_grad()
def test_the_posterior_keeps_its_mean_variance(autoencoder):
    result = whitened(autoencoder)
    _, logvar = autoencoder.posterior(IMAGES)
    forward, _ = whitening_matrices(measured(autoencoder).latents.covariance)
    expected = forward.square() @ logvar.double().exp().mean((0, 2, 3))
    _, logvar = result.posterior(IMAGES)
    torch.testing.assert_close(
        logvar.exp().double(), expected.view(1, -1, 1, 1).expand(logvar.shape), rtol=1e-4, atol=0
    )
