import pytest
import torch
from diffusers import AutoencoderKL as ReferenceAutoencoder

from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_kl_config import AutoencoderKLConfig
from latelier.kernel.errors import InvalidConfigError, InvalidInputError
from latelier.kernel.frozen import validated

KL_F4 = AutoencoderKLConfig(ch_mult=(1, 2, 4), z_channels=3, embed_dim=3)
KL_F8 = AutoencoderKLConfig()
KL_F16 = AutoencoderKLConfig(
    ch_mult=(1, 1, 2, 2, 4), z_channels=16, embed_dim=16, attn_resolutions=(16,)
)
KL_F32 = AutoencoderKLConfig(
    ch_mult=(1, 1, 2, 2, 4, 4), z_channels=64, embed_dim=64, attn_resolutions=(16, 8)
)

SMALL = AutoencoderKLConfig(
    ch=16, ch_mult=(1, 2, 2), num_res_blocks=1, z_channels=4, embed_dim=3, num_groups=8
)


def small_autoencoder(**changes: object) -> AutoencoderKL:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoencoderKL(SMALL.model_copy(update=changes)).eval()


def noise_images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (KL_F4, 55_312_063),
        (KL_F8, 83_653_863),
        (KL_F16, 69_610_963),
        (KL_F32, 103_880_131),
    ],
    ids=["kl-f4", "kl-f8", "kl-f16", "kl-f32"],
)
def test_published_models_have_their_exact_parameter_counts(config, parameters):
    with torch.device("meta"):
        autoencoder = AutoencoderKL(config)
    assert sum(p.numel() for p in autoencoder.parameters()) == parameters


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (KL_F4, {"encoder.mid.attn_1.q.weight", "decoder.up.2.upsample.conv.bias"}),
        (KL_F16, {"encoder.down.4.attn.1.proj_out.weight", "decoder.up.4.attn.2.norm.bias"}),
        (KL_F32, {"encoder.down.5.attn.0.k.bias", "decoder.up.3.block.0.nin_shortcut.weight"}),
    ],
    ids=["kl-f4", "kl-f16", "kl-f32"],
)
def test_keys_are_those_of_the_published_checkpoints(config, expected):
    with torch.device("meta"):
        keys = AutoencoderKL(config).state_dict().keys()
    common = {"quant_conv.weight", "post_quant_conv.bias", "encoder.down.0.downsample.conv.weight"}
    assert expected | common <= keys
    last = len(config.ch_mult) - 1
    assert f"encoder.down.{last}.downsample.conv.weight" not in keys
    assert "decoder.up.0.upsample.conv.weight" not in keys


def to_reference_key(key: str, levels: int) -> str:
    """Name a CompVis autoencoder key as diffusers does."""
    parts = key.split(".")
    if parts[1] in ("down", "up") and parts[3] == "block":
        index = int(parts[2]) if parts[1] == "down" else levels - 1 - int(parts[2])
        head = f"{parts[0]}.{parts[1]}_blocks.{index}.resnets.{parts[4]}"
        return f"{head}.{'.'.join(parts[5:])}".replace("nin_shortcut", "conv_shortcut")
    if parts[1] in ("down", "up"):
        index = int(parts[2]) if parts[1] == "down" else levels - 1 - int(parts[2])
        return f"{parts[0]}.{parts[1]}_blocks.{index}.{parts[3]}rs.0.{'.'.join(parts[4:])}"
    key = key.replace("mid.block_1", "mid_block.resnets.0")
    key = key.replace("mid.block_2", "mid_block.resnets.1")
    key = key.replace("mid.attn_1.norm", "mid_block.attentions.0.group_norm")
    for ours, theirs in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")):
        key = key.replace(f"mid.attn_1.{ours}.", f"mid_block.attentions.0.{theirs}.")
    return key.replace("norm_out", "conv_norm_out")


def test_agrees_with_the_reference_implementation():
    autoencoder = small_autoencoder(embed_dim=4)
    reference = ReferenceAutoencoder(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 32),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
    ).eval()
    mapped = {}
    for key, tensor in autoencoder.state_dict().items():
        name = to_reference_key(key, levels=3)
        mapped[name] = tensor.flatten(1) if "attentions" in name and tensor.ndim == 4 else tensor
    reference.load_state_dict(mapped)
    images = noise_images(2, 3, 32, 48)
    with torch.no_grad():
        theirs = reference.encode(images).latent_dist
        mean, logvar = autoencoder.posterior(images)
        torch.testing.assert_close(mean, theirs.mean, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(logvar, theirs.logvar, rtol=1e-5, atol=1e-5)
        decoded = autoencoder.decode(mean)
        torch.testing.assert_close(decoded, reference.decode(mean).sample, rtol=1e-5, atol=1e-5)


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


def test_sample_adds_noise_of_the_posterior_deviation():
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


def test_a_batch_gives_what_its_images_give_alone():
    autoencoder = small_autoencoder()
    images = noise_images(3, 3, 16, 16)
    with torch.no_grad():
        together = autoencoder.decode(autoencoder.encode(images))
        alone = torch.cat([autoencoder.decode(autoencoder.encode(x[None])) for x in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_no_attention_where_the_configuration_asks_for_none():
    keys = small_autoencoder(attn_type="none", attn_resolutions=(256,)).state_dict().keys()
    assert not [key for key in keys if "attn" in key]
    assert [key for key in small_autoencoder().state_dict() if "mid.attn_1" in key]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 3, 18, 16), "multiples of 4"),
        ((1, 3, 16, 0), "multiples of 4"),
        ((1, 1, 16, 16), r"\(B, 3, H, W\)"),
        ((3, 16, 16), r"\(B, 3, H, W\)"),
    ],
)
def test_images_that_cannot_be_encoded_are_refused(shape, words):
    with pytest.raises(InvalidInputError, match=words):
        small_autoencoder().encode(torch.zeros(shape))


def test_latents_of_other_channels_are_refused():
    with pytest.raises(InvalidInputError, match=r"\(B, 3, h, w\), not \(1, 4, 8, 8\)"):
        small_autoencoder().decode(torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ch": 16}, "num_groups 32 does not divide"),
        ({"chanels": 16}, "no field 'chanels'"),
        ({"dropout": 1.5}, "dropout"),
        ({"attn_type": "flash"}, "attn_type"),
    ],
)
def test_wrong_configurations_are_refused(values, words):
    with pytest.raises(InvalidConfigError, match=words):
        validated(AutoencoderKLConfig, values, "first stage")
