"""A checkpoint of CompVis, read here and by diffusers' own converter, gives the same numbers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.compvis.importer import CompVis
from latelier.contracts.condition import Condition, Stream

diffusers = pytest.importorskip("diffusers")
single_file = pytest.importorskip("diffusers.loaders.single_file_utils")

LAYERS = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 2, 2, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [],
}


def config_of(context: int, **unet: Any) -> dict[str, Any]:
    """Return the YAML of a small Stable Diffusion, conditioned on vectors of the caller's."""
    unet = {
        "image_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "attention_resolutions": [4, 2, 1],
        "num_res_blocks": 1,
        "channel_mult": [1, 2, 2, 2],
        "use_spatial_transformer": True,
        "transformer_depth": 1,
        "context_dim": context,
        "legacy": False,
        **unet,
    }
    first_stage = {"embed_dim": 4, "ddconfig": LAYERS, "lossconfig": {"target": "Identity"}}
    params = {
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "timesteps": 1000,
        "conditioning_key": "crossattn",
        "scale_factor": 0.18215,
        "use_ema": False,
        "unet_config": {"target": "x.UNetModel", "params": unet},
        "first_stage_config": {"target": "x.AutoencoderKL", "params": first_stage},
        "cond_stage_config": {"target": "torch.nn.Identity"},
    }
    return {"model": {"target": "x.LatentDiffusion", "params": params}}


def theirs_unet(tensors: dict[str, Tensor], context: int, **more: Any) -> torch.nn.Module:
    config = {
        "block_out_channels": (32, 64, 64, 64),
        "layers_per_block": 1,
        "cross_attention_dim": context,
        "sample_size": 8,
        **more,
    }
    model = diffusers.UNet2DConditionModel(**config)
    state = single_file.convert_ldm_unet_checkpoint(dict(tensors), dict(model.config))
    model.load_state_dict(state)
    return model.eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def relative(found: Tensor, wanted: Tensor) -> float:
    assert wanted.abs().max() > 1e-3
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("context", "ours", "theirs"),
    [
        (24, {"num_heads": 4}, {"attention_head_dim": 4}),
        (
            40,
            {"num_head_channels": 16, "use_linear_in_transformer": True},
            {"attention_head_dim": (2, 4, 4, 4), "use_linear_projection": True},
        ),
    ],
    ids=["as SD 1", "as SD 2"],
)
def test_the_unet_equals_the_original(
    compvis_checkpoint, given, drawn, built_ins, context, ours, theirs
):
    config = config_of(context, **ours)
    tensors = compvis_checkpoint(config, drawn)
    found = CompVis().read(given(config, tensors))
    model = build_part("denoiser", found.parts["denoiser"], built_ins).module
    reference = theirs_unet(tensors, context, **theirs)
    x, t, tokens = noise(2, 4, 8, 8), torch.tensor([1.0, 700.0]), noise(2, 5, context)
    with torch.no_grad():
        condition = Condition({"embedding": Stream(tokens)})
        assert relative(model(x, t, condition), reference(x, t, tokens).sample) < 1e-4


def test_the_first_stage_equals_the_original(compvis_checkpoint, given, drawn, built_ins):
    config = config_of(24, num_heads=4)
    tensors = compvis_checkpoint(config, drawn)
    found = CompVis().read(given(config, tensors))
    model = build_part("first_stage", found.parts["first_stage"], built_ins).module
    reference = diffusers.AutoencoderKL(
        block_out_channels=(32, 64, 64, 64),
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=4,
    ).eval()
    state = single_file.convert_ldm_vae_checkpoint(dict(tensors), dict(reference.config))
    reference.load_state_dict(state)
    images, z = noise(1, 3, 32, 32), noise(1, 4, 4, 4)
    with torch.no_grad():
        wanted = reference.encode(images).latent_dist.mean
        assert relative(model.encode(images), wanted * 0.18215) < 1e-4
        assert relative(model.decode(z * 0.18215), reference.decode(z).sample) < 1e-4
