"""Every published model: its YAML and its names and shapes at full width, without its numbers."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.checkpoints.importers.building import built
from latelier.checkpoints.importers.compvis.importer import CompVis
from latelier.kernel.compatibility import check_composition

LDM = "ldm.models.diffusion.ddpm.LatentDiffusion"


def autoencoder(
    kind: str, embed: int, mult: tuple[int, ...], attends: tuple[int, ...] = (), **more: Any
) -> dict[str, Any]:
    z = embed
    layers = {
        "double_z": kind == "AutoencoderKL",
        "z_channels": z,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": list(mult),
        "num_res_blocks": 2,
        "attn_resolutions": list(attends),
        "dropout": 0.0,
        **({"attn_type": "none"} if more.pop("noattn", False) else {}),
    }
    params = {"embed_dim": embed, "ddconfig": layers, "lossconfig": {"target": "torch.nn.Identity"}}
    return {"target": f"ldm.models.autoencoder.{kind}", "params": {**params, **more}}


VQ_F4 = autoencoder("VQModelInterface", 3, (1, 2, 4), n_embed=8192)
VQ_F4_NOATTN = autoencoder("VQModelInterface", 3, (1, 2, 4), n_embed=8192, noattn=True)
VQ_F8 = autoencoder("VQModelInterface", 4, (1, 2, 2, 4), (32,), n_embed=16384)
KL_F8 = autoencoder("AutoencoderKL", 4, (1, 2, 4, 4))
KL_F16 = autoencoder("AutoencoderKL", 16, (1, 1, 2, 2, 4), (16,))

FIRST_STAGES = {
    "kl-f4": (autoencoder("AutoencoderKL", 3, (1, 2, 4)), 55_312_063),
    "kl-f8": (KL_F8, 83_653_863),
    "kl-f16": (KL_F16, 69_610_963),
    "kl-f32": (autoencoder("AutoencoderKL", 64, (1, 1, 2, 2, 4, 4), (16, 8)), 103_880_131),
    "vq-f4": (autoencoder("VQModel", 3, (1, 2, 4), n_embed=8192), 55_322_782),
    "vq-f4-noattn": (VQ_F4_NOATTN, 53_219_486),
    "vq-f8": (autoencoder("VQModel", 4, (1, 2, 2, 4), (32,), n_embed=16384), 67_717_295),
    "vq-f8-n256": (autoencoder("VQModel", 4, (1, 2, 2, 4), (32,), n_embed=256), 67_652_783),
    "vq-f16": (autoencoder("VQModel", 8, (1, 1, 2, 2, 4), (16,), n_embed=16384), 69_593_371),
}


def model(
    unet: tuple[int, int, int, int],
    mult: tuple[int, ...],
    attends: tuple[int, ...],
    first_stage: dict[str, Any],
    cond: Any = "__is_unconditional__",
    *,
    ends: tuple[float, float] = (0.0015, 0.0195),
    params: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    in_channels, out_channels, size, width = unet
    unet_params = {
        "image_size": size,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "model_channels": width,
        "attention_resolutions": list(attends),
        "num_res_blocks": 2,
        "channel_mult": list(mult),
        **more,
    }
    unet_class = "ldm.modules.diffusionmodules.openaimodel.UNetModel"
    return {
        "model": {
            "base_learning_rate": 2.0e-06,
            "target": LDM,
            "params": {
                "linear_start": ends[0],
                "linear_end": ends[1],
                "num_timesteps_cond": 1,
                "log_every_t": 200,
                "timesteps": 1000,
                "first_stage_key": "image",
                "image_size": size,
                "channels": out_channels,
                "monitor": "val/loss_simple_ema",
                "unet_config": {"target": unet_class, "params": unet_params},
                "first_stage_config": first_stage,
                "cond_stage_config": cond,
                **(params or {}),
            },
        }
    }


def cond(name: str, **params: Any) -> dict[str, Any]:
    modules = "torch.nn" if name == "Identity" else "ldm.modules.encoders.modules"
    return {"target": f"{modules}.{name}", "params": params}


def attending(width: int, depth: int = 1) -> dict[str, Any]:
    return {"use_spatial_transformer": True, "transformer_depth": depth, "context_dim": width}


CROSS = {"conditioning_key": "crossattn"}
HEADS_OF_32 = {"num_head_channels": 32}

ZOO = {
    "celeba256": (
        model((3, 3, 64, 224), (1, 2, 3, 4), (8, 4, 2), VQ_F4, **HEADS_OF_32),
        274_056_163,
    ),
    "lsun_churches256": (
        model(
            (4, 4, 32, 192),
            (1, 2, 2, 4, 4),
            (1, 2, 4, 8),
            KL_F8,
            ends=(0.0015, 0.0155),
            params={"scale_by_std": True, "loss_type": "l1"},
            num_heads=8,
            use_scale_shift_norm=True,
            resblock_updown=True,
        ),
        294_966_916,
    ),
    "cin256": (
        model(
            (4, 4, 32, 256),
            (1, 2, 4),
            (4, 2, 1),
            VQ_F8,
            cond("ClassEmbedder", embed_dim=512, key="class_label", n_classes=1000),
            params=CROSS,
            **HEADS_OF_32,
            **attending(512),
        ),
        394_984_196,
    ),
    "cin256-v2": (
        model(
            (3, 3, 64, 192),
            (1, 2, 3, 5),
            (8, 4, 2),
            VQ_F4,
            cond("ClassEmbedder", embed_dim=512, key="class_label", n_classes=1001),
            params={**CROSS, "use_ema": False},
            num_heads=1,
            **attending(512),
        ),
        400_920_579,
    ),
    "text2img256": (
        model(
            (3, 3, 64, 192),
            (1, 2, 3, 5),
            (8, 4, 2),
            VQ_F4,
            cond("BERTEmbedder", n_embed=640, n_layer=32),
            params=CROSS,
            **HEADS_OF_32,
            **attending(640),
        ),
        403_623_939,
    ),
    "text2img-large": (
        model(
            (4, 4, 32, 320),
            (1, 2, 4, 4),
            (4, 2, 1),
            KL_F8,
            cond("BERTEmbedder", n_embed=1280, n_layer=32),
            ends=(0.00085, 0.012),
            params={**CROSS, "use_ema": False, "scale_factor": 0.18215},
            num_heads=8,
            legacy=False,
            use_checkpoint=True,
            **attending(1280),
        ),
        872_300_484,
    ),
    "layout2img-openimages256": (
        model(
            (3, 3, 64, 128),
            (1, 2, 3, 4),
            (8, 4, 2),
            VQ_F4,
            cond(
                "BERTEmbedder",
                n_embed=512,
                n_layer=16,
                vocab_size=8192,
                max_seq_len=92,
                use_tokenizer=False,
            ),
            ends=(0.0015, 0.0205),
            params=CROSS,
            **HEADS_OF_32,
            **attending(512, 3),
        ),
        246_277_379,
    ),
    "semantic_synthesis256": (
        model(
            (6, 3, 64, 128),
            (1, 4, 8),
            (32, 16, 8),
            VQ_F4,
            cond("SpatialRescaler", n_stages=2, in_channels=182, out_channels=3),
            ends=(0.0015, 0.0205),
            params={"concat_mode": True},
            num_heads=8,
        ),
        215_229_315,
    ),
    "bsr_sr": (
        model(
            (6, 3, 64, 160),
            (1, 2, 2, 4),
            (16, 8),
            VQ_F4,
            cond("Identity"),
            ends=(0.0015, 0.0155),
            params={"concat_mode": True},
            **HEADS_OF_32,
        ),
        113_622_563,
    ),
    "inpainting_big": (
        model(
            (7, 3, 64, 256),
            (1, 2, 3, 4),
            (8, 4, 2),
            VQ_F4_NOATTN,
            "__is_first_stage__",
            ends=(0.0015, 0.0205),
            params={"concat_mode": True, "loss_type": "l1"},
            num_heads=8,
            resblock_updown=True,
        ),
        387_245_827,
    ),
    "rdm768": (
        model(
            (16, 16, 48, 448),
            (1, 2, 3, 4),
            (4, 2, 1),
            KL_F16,
            cond("Identity"),
            ends=(0.0015, 0.015),
            params={**CROSS, "scale_factor": 0.22765929},
            use_checkpoint=True,
            **HEADS_OF_32,
            **attending(768),
        ),
        1_335_480_400,
    ),
}


CONDITIONS = {
    "cin256": ["class_label"],
    "cin256-v2": ["class_label"],
    "text2img256": ["text"],
    "text2img-large": ["text"],
    "layout2img-openimages256": ["layout"],
    "semantic_synthesis256": ["semantic_map"],
    "bsr_sr": ["image"],
    "inpainting_big": ["mask"],
    "rdm768": ["embedding"],
}


def empty(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, device="meta")


@pytest.mark.parametrize("name", ZOO)
def test_every_published_model(compvis_checkpoint, given, built_ins, name):
    config, parameters = ZOO[name]
    source = given(config, compvis_checkpoint(config, empty))
    assert CompVis().recognises(source)
    found = CompVis().read(source)
    components = {place: built(place, part, built_ins) for place, part in found.parts.items()}
    check_composition(
        components["first_stage"].config,
        components["denoiser"].config,
        {
            place.removeprefix("conditioners."): component.config
            for place, component in components.items()
            if place.startswith("conditioners.")
        },
    )
    denoiser = components["denoiser"].module
    assert sum(p.numel() for p in denoiser.parameters()) == parameters
    first, last = found.process["beta_start"], found.process["beta_end"]
    params = config["model"]["params"]
    assert (first, last) == (params["linear_start"], params["linear_end"])
    scale = 0.25 if params.get("scale_by_std") else params.get("scale_factor", 1.0)
    assert components["first_stage"].config.scale_factor == scale
    conditioners = [place for place in found.parts if place.startswith("conditioners.")]
    assert conditioners == [f"conditioners.{each}" for each in CONDITIONS.get(name, ())]
    assert found.defaults["size"] == (768 if name == "rdm768" else 256)


@pytest.mark.parametrize("name", FIRST_STAGES)
def test_every_published_first_stage(compvis_autoencoder, given, built_ins, name):
    node, parameters = FIRST_STAGES[name]
    tensors = {key: empty(shape) for key, shape in compvis_autoencoder(node["params"]).items()}
    tensors["loss.discriminator.main.0.weight"] = empty((64, 3, 4, 4))
    tensors["loss.logvar"] = empty(())
    found = CompVis().read(given({"model": node}, tensors))
    assert list(found.parts) == ["first_stage"]
    module = built("first_stage", found.parts["first_stage"], built_ins).module
    assert sum(p.numel() for p in module.parameters()) == parameters
