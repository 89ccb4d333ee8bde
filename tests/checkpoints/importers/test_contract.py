"""The conformance kit over every importer that is registered here."""

from typing import Any

import pytest
import torch
import yaml

from latelier._plugin import plugin
from latelier.checkpoints.io.weights import write_weights
from latelier.first_stages.configs import TinyAutoencoderConfig
from latelier.first_stages.tiny import TinyAutoencoder
from latelier.kernel.registrar import Registrar
from latelier.testing import ImporterContract

LAYERS = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 32,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [16],
}
UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "attention_resolutions": [2],
    "num_res_blocks": 1,
    "channel_mult": [1, 2],
    "num_heads": 2,
    "use_spatial_transformer": True,
    "context_dim": 16,
}
COMPVIS = {
    "model": {
        "target": "ldm.models.diffusion.ddpm.LatentDiffusion",
        "params": {
            "linear_start": 0.0015,
            "linear_end": 0.0195,
            "timesteps": 1000,
            "image_size": 8,
            "channels": 4,
            "first_stage_key": "image",
            "cond_stage_key": "class_label",
            "conditioning_key": "crossattn",
            "scale_factor": 0.18215,
            "use_ema": False,
            "unet_config": {
                "target": "ldm.modules.diffusionmodules.openaimodel.UNetModel",
                "params": UNET,
            },
            "first_stage_config": {
                "target": "ldm.models.autoencoder.AutoencoderKL",
                "params": {
                    "embed_dim": 4,
                    "ddconfig": LAYERS,
                    "lossconfig": {"target": "torch.nn.Identity"},
                },
            },
            "cond_stage_config": {
                "target": "ldm.modules.encoders.modules.ClassEmbedder",
                "params": {"embed_dim": 16, "key": "class_label", "n_classes": 11},
            },
        },
    }
}


def published(unet: dict[str, Any]) -> dict[str, Any]:
    """Return the YAML of a file of Stable Diffusion 1, of whose numbers only the shapes count."""
    layers = {**LAYERS, "resolution": 256, "ch": 128, "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2}
    params = {
        **COMPVIS["model"]["params"],
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "unet_config": {"params": unet},
        "first_stage_config": {
            "params": {"embed_dim": 4, "ddconfig": {**layers, "attn_resolutions": []}}
        },
        "cond_stage_config": {"target": "FrozenCLIPEmbedder"},
    }
    return {"model": {"params": params}}


def test_every_importer_is_tried():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    tried = {each.component for each in ImporterContract.__subclasses__()}
    assert {spec.id for spec in registrar.specs if spec.kind == "importer"} <= tried


class TestCompVis(ImporterContract):
    component = "latelier/compvis"

    @pytest.fixture(autouse=True)
    def tools(self, compvis_checkpoint, drawn):
        self.tensors = compvis_checkpoint(COMPVIS, drawn)

    def source(self, folder):
        write_weights(folder / "model.safetensors", self.tensors)
        (folder / "model.yaml").write_text(yaml.safe_dump(COMPVIS))
        return folder / "model.safetensors"


class TestStableDiffusion(ImporterContract):
    component = "latelier/stable_diffusion"

    @pytest.fixture(autouse=True)
    def tools(self, compvis_checkpoint, given, with_clip):
        unet = {
            **UNET,
            "model_channels": 320,
            "attention_resolutions": [4, 2, 1],
            "num_res_blocks": 2,
            "channel_mult": [1, 2, 4, 4],
            "context_dim": 768,
        }
        config = published(unet)
        tensors = compvis_checkpoint(config, lambda shape: torch.empty(shape, device="meta"))
        self.given = given(None, tensors)
        self.plugins = with_clip

    def atelier(self):
        return self.plugins

    def source(self, folder):
        return self.given


class TestStableDiffusionXL(ImporterContract):
    component = "latelier/stable_diffusion_xl"

    @pytest.fixture(autouse=True)
    def tools(self, sdxl_file, given, with_clip):
        shapes = sdxl_file(refiner=True)
        self.given = given(None, {k: torch.empty(v, device="meta") for k, v in shapes.items()})
        self.plugins = with_clip

    def atelier(self):
        return self.plugins

    def source(self, folder):
        return self.given


class TestDiffusers(ImporterContract):
    component = "latelier/diffusers"

    def source(self, folder):
        diffusers = pytest.importorskip("diffusers")
        with torch.random.fork_rng(devices=[]):
            diffusers.AutoencoderKL(block_out_channels=(32,), norm_num_groups=8).save_pretrained(
                folder
            )
        return folder


class TestIPAdapter(ImporterContract):
    component = "latelier/ip_adapter"

    def source(self, folder):
        down, up = (32, 32, 64, 64, 128, 128), (128, 128, 128, 64, 64, 64, 32, 32, 32)
        shapes = {"image_proj.proj.weight": (4 * 16, 24), "image_proj.proj.bias": (4 * 16,)}
        shapes |= {f"image_proj.norm.{name}": (16,) for name in ("weight", "bias")}
        for k, width in enumerate((*down, *up, 128)):
            for side in ("to_k_ip", "to_v_ip"):
                shapes[f"ip_adapter.{2 * k + 1}.{side}.weight"] = (width, 16)
        tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
        write_weights(folder / "ip-adapter.safetensors", tensors)
        return folder / "ip-adapter.safetensors"


class TestTAESD(ImporterContract):
    component = "latelier/taesd"

    def source(self, folder):
        config = TinyAutoencoderConfig(
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        )
        with torch.random.fork_rng(devices=[]):
            write_weights(folder / "tiny.safetensors", TinyAutoencoder(config).state_dict())
        return folder / "tiny.safetensors"
