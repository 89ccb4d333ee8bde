"""The autoencoders against diffusers, with the same random weights in float32."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL as ReferenceKL
from diffusers import AutoencoderTiny as ReferenceTiny
from diffusers import VQModel as ReferenceVQ
from torch import Tensor, nn

from latelier import default_atelier
from latelier.checkpoints.importers.diffusers.configs.first_stage import (
    autoencoder_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.layouts.autoencoder import autoencoder_from_diffusers
from latelier.contracts.frozen import validate
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import (
    AutoencoderConfig,
    AutoencoderKLConfig,
    AutoencoderVQConfig,
    TinyAutoencoderConfig,
)
from latelier.first_stages.tiny import TinyAutoencoder
from latelier.presets import read_preset

TOLERANCE = 1e-4
REDUCED = {"ch": 16, "num_groups": 8}

WIDTHS = [
    pytest.param(REDUCED, id="reduced"),
    pytest.param({}, id="full", marks=pytest.mark.zoo),
]

ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def reference_key(key: str, levels: int) -> str:
    """Return diffusers' name of a published key of either autoencoder."""
    half, *rest = key.split(".")
    match rest:
        case ["down" | "up" as way, level, "block" | "attn" as kind, block, *tail]:
            index = int(level) if way == "down" else levels - 1 - int(level)
            if kind == "block":
                parts = ["resnets", block, *tail]
            else:
                parts = ["attentions", block, ATTENTION[tail[0]], *tail[1:]]
            key = ".".join([half, f"{way}_blocks", str(index), *parts])
        case ["down" | "up" as way, level, "downsample" | "upsample" as kind, *tail]:
            index = int(level) if way == "down" else levels - 1 - int(level)
            key = ".".join([half, f"{way}_blocks", str(index), f"{kind}rs", "0", *tail])
        case ["mid", "attn_1", part, *tail]:
            key = ".".join([half, "mid_block", "attentions", "0", ATTENTION[part], *tail])
        case ["mid", block, *tail]:
            index = int(block.removeprefix("block_")) - 1
            key = ".".join([half, "mid_block", "resnets", str(index), *tail])
        case ["norm_out", *tail]:
            key = ".".join([half, "conv_norm_out", *tail])
    return key.replace("nin_shortcut", "conv_shortcut")


def reference_weights(model: nn.Module, levels: int) -> dict[str, Tensor]:
    """Return the weights as diffusers holds them: its attention projects with matrices."""
    weights = {}
    for key, tensor in model.state_dict().items():
        name = reference_key(key, levels)
        weights[name] = tensor.flatten(1) if "attentions" in name and tensor.ndim == 4 else tensor
    return weights


def reference_options(config: AutoencoderConfig) -> dict[str, Any]:
    attends = [config.has_attention(level) for level in range(len(config.ch_mult))]
    down = ["AttnDownEncoderBlock2D" if each else "DownEncoderBlock2D" for each in attends]
    up = ["AttnUpDecoderBlock2D" if each else "UpDecoderBlock2D" for each in reversed(attends)]
    return {
        "down_block_types": down,
        "up_block_types": up,
        "block_out_channels": [config.ch * mult for mult in config.ch_mult],
        "layers_per_block": config.num_res_blocks,
        "latent_channels": config.z_channels,
        "norm_num_groups": config.num_groups,
        "mid_block_add_attention": config.attn_type == "vanilla",
    }


def seeded(build: Any, *args: Any) -> Any:
    """Build a model with random weights, norms and codebook included."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build(*args).eval()
        with torch.no_grad():
            for name, weights in model.named_parameters():
                if "norm" in name:
                    weights.add_(0.2 * torch.randn_like(weights))
                if "quantize" in name:
                    weights.normal_()
    return model


def images_of(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def error(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def published(name: str) -> Any:
    return default_atelier().first_stages.validate_config(*read_preset(name).first_stage.piece)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["kl-f4", "kl-f8", "kl-f16", "kl-f32"])
def test_the_kl_autoencoder_agrees(name, width):
    config = published(name).model_copy(update=width)
    ours = seeded(AutoencoderKL, config)
    theirs = ReferenceKL(**reference_options(config)).eval()
    theirs.load_state_dict(reference_weights(ours, len(config.ch_mult)))
    f = config.downsampling
    images, latents = images_of(2 * f, 3 * f), noise(2, config.embed_dim, 2, 3)
    with torch.no_grad():
        moments = theirs.encode(images).latent_dist
        mean, logvar = ours.posterior(images)
        assert error(mean, moments.mean) < TOLERANCE
        assert error(logvar, moments.logvar) < TOLERANCE
        assert error(ours.decode(latents), theirs.decode(latents).sample) < TOLERANCE


def test_a_kl_autoencoder_without_convolutions_around_shifted_latents_agrees():
    theirs = ReferenceKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=16,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=1.5305,
        shift_factor=0.0609,
    ).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weights in theirs.named_parameters():
            offset = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            weights.copy_(offset + 0.1 * torch.randn(weights.shape, generator=generator))
    fields = autoencoder_config_from_diffusers({"_class_name": "AutoencoderKL", **theirs.config})
    assert (fields["scale_factor"], fields["shift_factor"]) == (1.5305, 0.0609)
    ours = AutoencoderKL(validate(AutoencoderKLConfig, fields, "first stage")).eval()
    ours.load_state_dict(autoencoder_from_diffusers(theirs.state_dict(), 2))
    images, latents = images_of(16, 24), noise(2, 16, 8, 12)
    with torch.no_grad():
        expected = (theirs.encode(images).latent_dist.mode() - 0.0609) * 1.5305
        assert error(ours.encode(images), expected) < 1e-5
        decoded = theirs.decode(latents / 1.5305 + 0.0609).sample
        assert error(ours.decode(latents), decoded) < 1e-5


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["vq-f4", "vq-f4-noattn", "vq-f8", "vq-f16"])
def test_the_vq_autoencoder_agrees(name, width):
    config = published(name).model_copy(update=width)
    assert isinstance(config, AutoencoderVQConfig)
    ours = seeded(AutoencoderVQ, config)
    theirs = ReferenceVQ(
        **reference_options(config),
        num_vq_embeddings=config.n_embed,
        vq_embed_dim=config.embed_dim,
    ).eval()
    theirs.load_state_dict(reference_weights(ours, len(config.ch_mult)))
    f = config.downsampling
    images, latents = images_of(2 * f, 3 * f), noise(2, config.embed_dim, 2, 3)
    with torch.no_grad():
        assert error(ours.encode(images), theirs.encode(images).latents) < TOLERANCE
        assert error(ours.decode(latents), theirs.decode(latents).sample) < TOLERANCE
        unquantised = theirs.decode(latents, force_not_quantize=True).sample
        assert error(ours.decode_unquantized(latents), unquantised) < TOLERANCE
        quantised, loss, (_, _, indices) = theirs.quantize(latents)
        mine = ours.quantize_latents(latents)
    assert error(mine.latents, quantised) < TOLERANCE
    assert mine.indices.flatten().tolist() == indices.tolist()
    torch.testing.assert_close(mine.loss, loss)


@pytest.mark.parametrize(
    "width",
    [
        pytest.param(8, id="reduced"),
        pytest.param(64, id="full"),
    ],
)
def test_the_tiny_autoencoder_agrees_and_has_the_same_keys(width):
    channels = (width,) * 4
    config = TinyAutoencoderConfig(
        encoder_block_out_channels=channels, decoder_block_out_channels=channels
    )
    ours = seeded(TinyAutoencoder, config)
    theirs = ReferenceTiny(
        encoder_block_out_channels=channels, decoder_block_out_channels=channels
    ).eval()
    theirs.load_state_dict(ours.state_dict())
    images, latents = images_of(16, 24), noise(2, 4, 2, 3) * 3
    with torch.no_grad():
        assert error(ours.encode(images), theirs.encode(images).latents) < TOLERANCE
        assert error(ours.decode(latents), theirs.decode(latents).sample) < TOLERANCE
        unit = theirs.scale_latents(latents)
        torch.testing.assert_close(ours.scale_latents(latents), unit)
        torch.testing.assert_close(ours.unscale_latents(unit), theirs.unscale_latents(unit))
