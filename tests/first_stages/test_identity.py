import pytest
import torch

from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.frozen import validate
from latelier.first_stages.configs import IdentityConfig
from latelier.first_stages.identity import Identity


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_latents_are_the_images_times_the_factor(channels):
    first_stage = Identity(IdentityConfig(channels=channels, scale_factor=0.5))
    images = torch.randn(2, channels, 5, 7, generator=torch.Generator().manual_seed(0))
    latents = first_stage.encode(images)
    assert torch.equal(latents, 0.5 * images)
    assert torch.equal(first_stage.decode(latents), images)


def test_it_declares_its_channels_and_has_no_weights():
    first_stage = Identity(IdentityConfig())
    assert (first_stage.config.downsampling, first_stage.config.latent_channels) == (1, 3)
    assert first_stage.state_dict() == {}


def test_a_wrong_channel_count_is_refused():
    first_stage = Identity(IdentityConfig())
    with pytest.raises(InvalidInputError, match=r"\(B, 3, H, W\), not \(1, 4, 8, 8\)"):
        first_stage.encode(torch.zeros(1, 4, 8, 8))
    with pytest.raises(InvalidInputError, match=r"\(B, 3, h, w\), not \(3, 8, 8\)"):
        first_stage.decode(torch.zeros(3, 8, 8))


def test_a_factor_of_zero_is_refused():
    with pytest.raises(InvalidConfigError, match="scale_factor"):
        validate(IdentityConfig, {"scale_factor": 0}, "first stage")
