import pytest
import torch

from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.frozen import validate
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.first_stages.layers import PositionNorm

SMALL = AutoencoderKLConfig(
    ch=16, ch_mult=(1, 2, 2), num_res_blocks=1, z_channels=4, embed_dim=3, num_groups=8
)


def small_autoencoder(**changes: object) -> AutoencoderKL:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoencoderKL(SMALL.model_copy(update=changes)).eval()


def noise_images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_shapes_and_declared_sizes_agree():
    autoencoder = small_autoencoder()
    images = noise_images(2, 3, 16, 24)
    with torch.no_grad():
        latents = autoencoder.encode(images)
        assert autoencoder.decode(latents).shape == images.shape
    f = autoencoder.config.downsampling
    assert (f, autoencoder.config.latent_channels) == (4, 3)
    assert latents.shape == (2, 3, 16 // f, 24 // f)


def test_latents_are_multiplied_by_the_scale_factor():
    plain, scaled = small_autoencoder(), small_autoencoder(scale_factor=0.25)
    images = noise_images(1, 3, 16, 16)
    with torch.no_grad():
        latents = plain.encode(images)
        torch.testing.assert_close(scaled.encode(images), 0.25 * latents)
        torch.testing.assert_close(scaled.decode(0.25 * latents), plain.decode(latents))


def test_latents_are_shifted_and_scaled_by_channel():
    plain = small_autoencoder()
    scaled = small_autoencoder(scale_factor=(0.5, 2.0, 3.0), shift_factor=(0.1, -0.2, 0.0))
    images = noise_images(2, 3, 16, 16)
    with torch.no_grad():
        z, latents = plain.encode(images), scaled.encode(images)
        for channel, (scale, shift) in enumerate(((0.5, 0.1), (2.0, -0.2), (3.0, 0.0))):
            torch.testing.assert_close(latents[:, channel], (z[:, channel] - shift) * scale)
        torch.testing.assert_close(scaled.decode(latents), plain.decode(z), atol=1e-5, rtol=0)
        no_noise = torch.zeros_like(latents)
        torch.testing.assert_close(scaled.sample(images, no_noise), latents)


def test_the_convolutions_around_the_latents_are_optional():
    without = {"use_quant_conv": False, "use_post_quant_conv": False}
    autoencoder = small_autoencoder(embed_dim=4, **without)
    assert not [key for key in autoencoder.state_dict() if "quant_conv" in key]
    images = noise_images(1, 3, 16, 16)
    with torch.no_grad():
        mean, _ = autoencoder.encoder(images).chunk(2, dim=1)
        latents = autoencoder.encode(images)
        assert torch.equal(latents, mean)
        assert torch.equal(autoencoder.decode(latents), autoencoder.decoder(latents))


def test_without_groups_latents_depend_on_what_is_near_alone():
    images = noise_images(1, 3, 16, 256)
    other = images.clone()
    other[..., 128:] = 5 * other[..., 128:] + 2
    for groups, is_local in ((None, True), (8, False)):
        autoencoder = small_autoencoder(num_groups=groups, attn_type="none")
        with torch.no_grad():
            first, second = (autoencoder.encode(each)[..., :16] for each in (images, other))
            decoded = [
                autoencoder.decode(torch.cat([first, scale * first], dim=3))[..., :4]
                for scale in (1, 3)
            ]
        assert torch.equal(first, second) is is_local
        assert torch.equal(*decoded) is is_local


def test_without_groups_a_norm_divides_by_the_root_mean_square_of_a_position():
    norm = PositionNorm(4)
    norm.weight.data = torch.tensor([1.0, 2.0, 3.0, 4.0])
    norm.bias.data = torch.tensor([0.0, 0.0, 1.0, 0.0])
    x = torch.tensor([3.0, -3.0, 1.0, 1.0]).view(1, 4, 1, 1).expand(1, 4, 2, 3)
    expected = torch.tensor([3.0, -6.0, 3.0, 4.0]) / 5**0.5 + norm.bias
    torch.testing.assert_close(norm(x), expected.view(1, 4, 1, 1).expand(1, 4, 2, 3))
    half = norm(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), norm(x), rtol=0.02, atol=0)


def test_a_norm_of_positions_does_not_overflow_in_float16():
    x = torch.full((1, 64, 1, 1), 3e4, dtype=torch.float16)
    torch.testing.assert_close(
        PositionNorm(64)(x).float(), torch.ones(1, 64, 1, 1), rtol=0.01, atol=0
    )
    assert PositionNorm(4)(torch.ones(1, 4, 1, 1, dtype=torch.float64)).dtype == torch.float64


def test_samples_have_the_posterior_standard_deviation():
    autoencoder = small_autoencoder(scale_factor=2.0)
    images = noise_images(1, 3, 16, 16)
    with torch.no_grad():
        _, logvar = autoencoder.posterior(images)
        mode = autoencoder.encode(images)
        torch.testing.assert_close(autoencoder.sample(images, torch.zeros_like(mode)), mode)
        drawn = autoencoder.sample(images, torch.ones_like(mode))
        torch.testing.assert_close(drawn - mode, 2.0 * torch.exp(0.5 * logvar))


def test_log_variance_is_clamped():
    autoencoder = small_autoencoder()
    with torch.no_grad():
        autoencoder.quant_conv.bias.fill_(1e4)
        _, high = autoencoder.posterior(noise_images(1, 3, 16, 16))
        autoencoder.quant_conv.bias.fill_(-1e4)
        _, low = autoencoder.posterior(noise_images(1, 3, 16, 16))
    assert high.unique().tolist() == [20.0]
    assert low.unique().tolist() == [-30.0]


def test_rows_of_a_batch_are_independent():
    autoencoder = small_autoencoder()
    images = noise_images(3, 3, 16, 16)
    with torch.no_grad():
        together = autoencoder.decode(autoencoder.encode(images))
        alone = torch.cat([autoencoder.decode(autoencoder.encode(x[None])) for x in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_patches_take_the_place_of_the_first_levels():
    autoencoder = small_autoencoder(patch_size=4, ch_mult=(1, 2))
    images = noise_images(2, 3, 16, 24)
    with torch.no_grad():
        latents = autoencoder.encode(images)
        decoded = autoencoder.decode(latents)
        moved = autoencoder.encode(images.roll(8, 3))
    assert autoencoder.config.downsampling == 8
    assert (latents.shape, decoded.shape) == ((2, 3, 2, 3), images.shape)
    assert not torch.equal(moved, latents)
    assert autoencoder.encoder.conv_in.weight.shape == (16, 48, 3, 3)
    assert autoencoder.decoder.conv_out.weight.shape == (48, 16, 3, 3)


def test_levels_with_attention_are_counted_after_the_patches():
    config = SMALL.model_copy(update={"patch_size": 4, "attn_resolutions": (32,)})
    assert [config.has_attention(level) for level in range(3)] == [False, True, False]


def test_attention_is_optional():
    keys = small_autoencoder(attn_type="none", attn_resolutions=(256,)).state_dict().keys()
    assert not [key for key in keys if "attn" in key]
    assert [key for key in small_autoencoder().state_dict() if "mid.attn_1" in key]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 3, 18, 16), r"multiples of 4 .*not 16x18.*nearest: 16x16 or 16x20"),
        ((1, 3, 16, 3), r"multiples of 4 .*not 3x16.*nearest: 4x16"),
        ((1, 3, 16, 0), "multiples of 4"),
        ((1, 1, 16, 16), r"\(B, 3, H, W\)"),
        ((3, 16, 16), r"\(B, 3, H, W\)"),
    ],
)
def test_images_that_cannot_be_encoded_are_refused(shape, words):
    with pytest.raises(InvalidInputError, match=words):
        small_autoencoder().encode(torch.zeros(shape))


def test_latents_with_a_wrong_channel_count_are_refused():
    with pytest.raises(InvalidInputError, match=r"\(B, 3, h, w\), not \(1, 4, 8, 8\)"):
        small_autoencoder().decode(torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ch": 16}, "num_groups 32 does not divide"),
        ({"chanels": 16}, "no field 'chanels'"),
        ({"dropout": 1.5}, "dropout"),
        ({"attn_type": "flash"}, "attn_type"),
        ({"scale_factor": 0}, "scale_factor"),
        ({"scale_factor": (1.0, -1.0, 1.0, 1.0)}, "scale_factor"),
        ({"shift_factor": float("nan")}, "shift_factor"),
        ({"scale_factor": (1.0, 2.0)}, "scale_factor has 2 numbers.*embed_dim 4"),
        ({"shift_factor": ()}, "shift_factor has 0 numbers"),
        ({"embed_dim": 3, "use_quant_conv": False}, "use_quant_conv is false.*z_channels 4"),
        ({"embed_dim": 3, "use_post_quant_conv": False}, "use_post_quant_conv is false"),
    ],
)
def test_invalid_configurations_are_refused(values, words):
    with pytest.raises(InvalidConfigError, match=words):
        validate(AutoencoderKLConfig, values, "first stage")
