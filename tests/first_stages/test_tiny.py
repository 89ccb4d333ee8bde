from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.frozen import validate
from latelier.first_stages.configs import TinyAutoencoderConfig
from latelier.first_stages.tiny import TinyAutoencoder


def small(**changes: Any) -> TinyAutoencoder:
    fields: dict[str, Any] = {
        "encoder_block_out_channels": (8, 8, 8),
        "decoder_block_out_channels": (8, 8, 8),
        "num_encoder_blocks": (1, 2, 2),
        "num_decoder_blocks": (2, 2, 1),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyAutoencoder(TinyAutoencoderConfig(**{**fields, **changes})).eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_the_default_has_the_size_of_taesd():
    with torch.device("meta"):
        tiny = TinyAutoencoder(TinyAutoencoderConfig())
    assert sum(p.numel() for p in tiny.encoder.parameters()) == 1_222_532
    assert sum(p.numel() for p in tiny.decoder.parameters()) == 1_222_531
    assert (tiny.config.downsampling, tiny.config.latent_channels) == (8, 4)


def test_with_group_norms_it_has_the_size_of_taef2():
    with torch.device("meta"):
        tiny = TinyAutoencoder(TinyAutoencoderConfig(z_channels=32, use_midblock_gn=True))
    assert sum(p.numel() for p in tiny.encoder.parameters()) == 1_338_528
    assert sum(p.numel() for p in tiny.decoder.parameters()) == 1_338_499


def test_shapes_and_declared_sizes_agree():
    tiny = small()
    images = noise(2, 3, 8, 12)
    latents = tiny.encode(images)
    assert latents.shape == (2, 4, 2, 3)
    assert tiny.decode(latents).shape == images.shape
    assert tiny.config.downsampling == 4


def test_an_image_in_0_to_1_is_returned_in_minus_1_to_1():
    tiny = small()
    with torch.no_grad():
        tiny.decoder.layers[-1].weight.zero_()
        tiny.decoder.layers[-1].bias.copy_(torch.tensor([0.0, 0.5, 1.0]))
        images = tiny.decode(noise(1, 4, 1, 1))
    assert images.mean(dim=(0, 2, 3)).tolist() == [-1.0, 0.0, 1.0]


def test_latents_are_clamped_softly_to_three():
    tiny = small()
    latents = noise(1, 4, 2, 2)
    with torch.no_grad():
        far = tiny.decode(1e4 * latents)
        torch.testing.assert_close(far, tiny.decode(2e4 * latents))
        first = 3 * torch.tanh(latents / 3)
        expected = 2 * tiny.decoder(first) - 1
        torch.testing.assert_close(tiny.decode(latents), expected)


def test_latents_are_multiplied_by_the_scale_factor():
    plain, scaled = small(), small(scale_factor=0.25)
    images = noise(1, 3, 8, 8)
    with torch.no_grad():
        latents = plain.encode(images)
        torch.testing.assert_close(scaled.encode(images), 0.25 * latents)
        torch.testing.assert_close(scaled.decode(0.25 * latents), plain.decode(latents))


def test_latents_are_stored_as_values_in_0_to_1():
    tiny = small()
    stored = tiny.scale_latents(torch.tensor([-4.0, -3.0, 0.0, 1.5, 3.0]))
    torch.testing.assert_close(stored, torch.tensor([0.0, 0.0, 0.5, 0.75, 1.0]))
    back = tiny.unscale_latents(stored)
    torch.testing.assert_close(back, torch.tensor([-3.0, -3.0, 0.0, 1.5, 3.0]))


def test_images_and_latents_of_a_wrong_shape_are_refused():
    with pytest.raises(InvalidInputError, match=r"multiples of 4.*nearest: 4x8 or 8x8"):
        small().encode(torch.zeros(1, 3, 8, 7))
    with pytest.raises(InvalidInputError, match=r"\(B, 4, h, w\)"):
        small().decode(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_encoder_blocks": (1, 3)}, "encoder_block_out_channels has 4 stages"),
        ({"decoder_block_out_channels": (64, 64, 64, 32)}, "must all be equal"),
        (
            {"num_decoder_blocks": (3, 1), "decoder_block_out_channels": (64, 64)},
            "4 stages, the decoder 2",
        ),
    ],
)
def test_invalid_configurations_are_refused(values, words):
    with pytest.raises(InvalidConfigError, match=words):
        validate(TinyAutoencoderConfig, values, "first stage")
