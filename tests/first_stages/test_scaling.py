import pytest
import torch

from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.first_stages.scaling import denormalize, normalize, normalize_log_variance

PER_CHANNEL = AutoencoderKLConfig(
    scale_factor=(0.5, 2.0, 1.0, 4.0), shift_factor=(0.25, 0.0, -1.0, 3.0)
)
Z = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))


def test_a_scale_alone_gives_the_bits_of_a_product():
    config = AutoencoderKLConfig(scale_factor=0.18215)
    assert torch.equal(normalize(Z, config), Z * 0.18215)
    assert torch.equal(denormalize(Z, config), Z / 0.18215)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_channel_has_its_own_factors(dtype):
    z = Z.to(dtype)
    latents = normalize(z, PER_CHANNEL)
    assert latents.dtype == dtype
    expected = torch.stack(
        [(z[:, 0] - 0.25) * 0.5, z[:, 1] * 2, z[:, 2] + 1, (z[:, 3] - 3) * 4], dim=1
    )
    tolerance = {"rtol": 2.0**-7, "atol": 2.0**-7} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(latents, expected, **tolerance)
    back = denormalize(latents, PER_CHANNEL)
    assert back.dtype == dtype
    torch.testing.assert_close(back, z, **({"rtol": 0, "atol": 0.05} if tolerance else {}))


def test_a_log_variance_is_that_of_the_normalized_latents():
    draws = torch.randn(20_000, 4, 1, 1, generator=torch.Generator().manual_seed(1))
    logvar = normalize_log_variance(torch.zeros(1, 4, 1, 1), PER_CHANNEL)
    found = normalize(draws, PER_CHANNEL).var(0).log()
    torch.testing.assert_close(logvar[0], found, atol=0.05, rtol=0)
