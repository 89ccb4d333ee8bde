"""Published shapes at full width: diffusers' networks and ours, with the same random weights."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from latelier.checkpoints.importers.diffusers.configs.first_stage import (
    autoencoder_config_from_diffusers,
    tiny_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.unet import unet_config_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.autoencoder import (
    autoencoder_from_diffusers,
    autoencoder_to_diffusers,
)
from latelier.checkpoints.importers.diffusers.layouts.unet import (
    unet_from_diffusers,
    unet_to_diffusers,
)
from latelier.contracts.condition import Condition, Stream
from latelier.denoisers.configs import UNetConfig

diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.zoo


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def relative(found: Tensor, wanted: Tensor) -> float:
    assert wanted.abs().max() > 1e-3
    return float((found - wanted).abs().max() / wanted.abs().max())


def randomised(make: Any) -> nn.Module:
    """Build without storage, then draw: every weight, the zero-initialised ones too."""
    with torch.device("meta"):
        model = make()
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            fan = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.normal_(generator=generator).div_(fan**0.5).add_(parameter.ndim == 1)
    return model.eval()


def config_of(model: nn.Module) -> dict[str, Any]:
    return {**model.config, "_class_name": type(model).__name__}


def ours_of(built_ins: Any, place: str, id_: str, config: Any, tensors: Any) -> nn.Module:
    registry = built_ins.registries[place]
    with torch.device("meta"):
        module = registry.build(id_, config)
    module.load_state_dict(tensors, assign=True)
    return module.eval()


SD = {
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({"cross_attention_dim": 768, "attention_head_dim": 8}, 859_520_964),
        (
            {
                "cross_attention_dim": 1024,
                "attention_head_dim": (5, 10, 20, 20),
                "use_linear_projection": True,
            },
            865_910_724,
        ),
    ],
    ids=["SD 1.5", "SD 2.1"],
)
def test_unets_of_stable_diffusion_are_imported(built_ins, changes, parameters):
    theirs = randomised(lambda: diffusers.UNet2DConditionModel(**SD, **changes))
    assert sum(p.numel() for p in theirs.parameters()) == parameters
    width = changes["cross_attention_dim"]
    x, t, tokens = noise(1, 4, 8, 8), torch.tensor([481.0]), noise(1, 77, width)
    with torch.no_grad():
        wanted = theirs(x, t, tokens).sample
    fields = unet_config_from_diffusers(config_of(theirs), "text", {})
    config = UNetConfig.model_validate(fields)
    state = theirs.state_dict()
    ours = ours_of(built_ins, "denoiser", "unet", config, unet_from_diffusers(config, state))
    with torch.no_grad():
        found = ours(x, t, Condition({"text": Stream(tokens)}))
    assert relative(found, wanted) < 1e-4
    back = unet_to_diffusers(config, ours.state_dict())
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


def test_the_unet_of_celeba_is_imported(built_ins):
    theirs = randomised(lambda: diffusers.UNet2DModel(sample_size=64, attention_head_dim=32))
    assert sum(p.numel() for p in theirs.parameters()) == 274_056_163
    x, t = noise(1, 3, 16, 16), torch.tensor([481.0])
    config = UNetConfig.model_validate(unet_config_from_diffusers(config_of(theirs), None, {}))
    state = theirs.state_dict()
    ours = ours_of(built_ins, "denoiser", "unet", config, unet_from_diffusers(config, state))
    with torch.no_grad():
        assert relative(ours(x, t, Condition()), theirs(x, t).sample) < 1e-4
    back = unet_to_diffusers(config, ours.state_dict())
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


class FirstStage(NamedTuple):
    """One of diffusers. attends: how many of the last levels do; codes: of a codebook, if any."""

    widths: tuple[int, ...]
    attends: int
    latents: int
    parameters: int
    codes: int | None = None
    middle: bool = True


AUTOENCODERS = {
    "kl-f4": FirstStage((128, 256, 512), 0, 3, 55_312_063),
    "kl-f8": FirstStage((128, 256, 512, 512), 0, 4, 83_653_863),
    "kl-f16": FirstStage((128, 128, 256, 256, 512), 1, 16, 69_610_963),
    "kl-f32": FirstStage((128, 128, 256, 256, 512, 512), 2, 64, 103_880_131),
    "vq-f4": FirstStage((128, 256, 512), 0, 3, 55_322_782, 8192),
    "vq-f4-noattn": FirstStage((128, 256, 512), 0, 3, 53_219_486, 8192, middle=False),
    "vq-f8": FirstStage((128, 256, 256, 512), 1, 4, 67_717_295, 16384),
    "vq-f8-n256": FirstStage((128, 256, 256, 512), 1, 4, 67_652_783, 256),
    "vq-f16": FirstStage((128, 128, 256, 256, 512), 1, 8, 69_593_371, 16384),
}


def of_diffusers(stage: FirstStage) -> nn.Module:
    levels = len(stage.widths)
    attends = ["Attn" * (level >= levels - stage.attends) for level in range(levels)]
    options = {
        "block_out_channels": stage.widths,
        "down_block_types": [f"{each}DownEncoderBlock2D" for each in attends],
        "up_block_types": [f"{each}UpDecoderBlock2D" for each in reversed(attends)],
        "layers_per_block": 2,
        "latent_channels": stage.latents,
        "sample_size": 256,
        "mid_block_add_attention": stage.middle,
    }
    if stage.codes is None:
        return randomised(lambda: diffusers.AutoencoderKL(**options))
    return randomised(lambda: diffusers.VQModel(num_vq_embeddings=stage.codes, **options))


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_autoencoders_are_imported(built_ins, name):
    stage = AUTOENCODERS[name]
    theirs = of_diffusers(stage)
    assert sum(p.numel() for p in theirs.parameters()) == stage.parameters
    fields = autoencoder_config_from_diffusers(config_of(theirs))
    id_ = "autoencoder_kl" if stage.codes is None else "autoencoder_vq"
    levels, state = len(stage.widths), theirs.state_dict()
    config = built_ins.first_stages.validate_config(id_, fields)
    ours = ours_of(built_ins, "first_stage", id_, config, autoencoder_from_diffusers(state, levels))
    images, scale = noise(1, 3, 64, 64), theirs.config.scaling_factor
    side = 64 // 2 ** (levels - 1)
    z = noise(1, stage.latents, side, side)
    with torch.no_grad():
        encoded = theirs.encode(images)
        wanted = encoded.latent_dist.mean if stage.codes is None else encoded.latents
        assert relative(ours.encode(images), wanted * scale) < 1e-4
        assert relative(ours.decode(z * scale), theirs.decode(z).sample) < 1e-4
    back = autoencoder_to_diffusers(ours.state_dict(), levels)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


def test_the_tiny_autoencoder_is_imported(built_ins):
    theirs = randomised(diffusers.AutoencoderTiny)
    config = built_ins.first_stages.validate_config(
        "tiny", tiny_config_from_diffusers(config_of(theirs))
    )
    ours = ours_of(built_ins, "first_stage", "tiny", config, theirs.state_dict())
    images, z = noise(1, 3, 64, 64).clamp(-1, 1), noise(1, 4, 8, 8)
    with torch.no_grad():
        assert relative(ours.encode(images), theirs.encode(images).latents) < 1e-4
        assert relative(ours.decode(z), theirs.decode(z).sample) < 1e-4
