from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import AutoencoderVQConfig

SMALL = AutoencoderVQConfig(
    ch=16, ch_mult=(1, 2), num_res_blocks=1, num_groups=8, z_channels=4, embed_dim=3, n_embed=20
)


def small_autoencoder(**changes: Any) -> AutoencoderVQ:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        autoencoder = AutoencoderVQ(SMALL.model_copy(update=changes)).eval()
        torch.nn.init.normal_(autoencoder.quantize.embedding.weight)
        return autoencoder


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_latents_are_not_quantised():
    autoencoder = small_autoencoder()
    images = noise(2, 3, 8, 12)
    with torch.no_grad():
        latents = autoencoder.encode(images)
        expected = autoencoder.quant_conv(autoencoder.encoder(images))
    assert latents.shape == (2, 3, 4, 6)
    assert torch.equal(latents, expected)


def test_decoding_quantises_first():
    autoencoder = small_autoencoder()
    latents = noise(1, 3, 4, 4)
    with torch.no_grad():
        codes = autoencoder.quantize.look_up(autoencoder.quantize.nearest_codes(latents))
        decoded = autoencoder.decode(latents)
        torch.testing.assert_close(decoded, autoencoder.decode(codes))
        unquantised = autoencoder.decode_unquantized(latents)
        as_codes = autoencoder.decode_unquantized(codes)
    torch.testing.assert_close(decoded, as_codes)
    assert (unquantised - decoded).abs().max() > 0.01


def test_latents_are_multiplied_by_the_scale_factor():
    plain, scaled = small_autoencoder(), small_autoencoder(scale_factor=0.25)
    images = noise(1, 3, 8, 8)
    with torch.no_grad():
        latents = plain.encode(images)
        torch.testing.assert_close(scaled.encode(images), 0.25 * latents)
        torch.testing.assert_close(scaled.decode(0.25 * latents), plain.decode(latents))
        torch.testing.assert_close(
            scaled.decode_unquantized(0.25 * latents), plain.decode_unquantized(latents)
        )
        loss = plain.quantize_latents(latents).loss
        torch.testing.assert_close(scaled.quantize_latents(0.25 * latents).loss, loss)


def test_a_reconstruction_trains_encoder_codebook_and_decoder():
    autoencoder = small_autoencoder()
    images = noise(1, 3, 8, 8)
    latents = autoencoder.encode(images)
    loss = (autoencoder.decode(latents) - images).abs().mean()
    (loss + autoencoder.quantize_latents(latents).loss).backward()
    untouched = [name for name, p in autoencoder.named_parameters() if p.grad is None]
    assert untouched == []
    assert autoencoder.encoder.conv_in.weight.grad.abs().sum() > 0


def test_a_single_level_does_not_downsample():
    autoencoder = small_autoencoder(ch_mult=(2,))
    images = noise(1, 3, 5, 7)
    with torch.no_grad():
        latents = autoencoder.encode(images)
        assert autoencoder.decode(latents).shape == images.shape
    assert autoencoder.config.downsampling == 1
    assert latents.shape == (1, 3, 5, 7)


@pytest.mark.parametrize("method", ["decode", "decode_unquantized", "quantize_latents"])
def test_latents_with_a_wrong_channel_count_are_refused(method):
    with pytest.raises(InvalidInputError, match=r"\(B, 3, h, w\), not \(1, 4, 8, 8\)"):
        getattr(small_autoencoder(), method)(torch.zeros(1, 4, 8, 8))


def test_images_that_cannot_be_encoded_are_refused():
    with pytest.raises(InvalidInputError, match=r"multiples of 2.*nearest: 6x4 or 8x4"):
        small_autoencoder().encode(torch.zeros(1, 3, 4, 7))
