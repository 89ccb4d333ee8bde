import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as reference_kl

from latelier.training.first_stage.losses.reconstruction import (
    absolute_error,
    edge_error,
    squared_error,
)
from latelier.training.first_stage.losses.regularization import kl_divergence
from latelier.training.prediction.losses import denoising_loss


def picture_pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 16, 16, generator=generator), torch.rand(
        2, 3, 16, 16, generator=generator
    )


@pytest.mark.parametrize("term", [absolute_error, squared_error, edge_error])
def test_terms_vanish_for_equal_images_only(term):
    a, b = picture_pair()
    assert term(a, a).item() == 0
    assert term(a, b).item() > 0.01


def test_edges_ignore_a_shift_of_all_values_and_punish_blur():
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 1.0
    blurred = image.clone()
    blurred[..., 7:9] = 0.5
    assert edge_error(image + 0.3, image).item() == pytest.approx(0, abs=1e-6)
    assert edge_error(blurred, image) > 2 * absolute_error(blurred, image)


def test_kl_divergence_is_the_mean_over_latent_numbers():
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(2, 4, 3, 3, generator=generator)
    logvar = torch.randn(2, 4, 3, 3, generator=generator)
    expected = reference_kl(Normal(mean, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, logvar), expected)


def test_denoising_loss_has_one_value_per_sample():
    target = torch.zeros(2, 4, 2, 2)
    prediction = torch.stack([torch.full((4, 2, 2), 1.0), torch.full((4, 2, 2), 3.0)])
    assert denoising_loss(prediction.bfloat16(), target).tolist() == [1.0, 9.0]
