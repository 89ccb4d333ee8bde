"""An atelier that has the plugin, and small models of diffusers beside ours with their weights."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from latelier import Atelier, Pipeline, compose, import_model
from latelier.checkpoints.adapter import LoadedAdapter, restore_adapter
from latelier.checkpoints.importers.diffusers.configs.unet import unet_config_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.unet import unet_from_diffusers
from latelier.checkpoints.io.weights import write_weights
from latelier.checkpoints.manifests import read_adapter
from latelier.contracts.condition import Condition, Stream
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.unet import UNet
from latelier.kernel.trust.policy import Policy
from torch import Tensor, nn

from latelier_addons.plugin import plugin

SD = {
    "block_out_channels": (32, 64, 64),
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "attention_head_dim": 2,
    "cross_attention_dim": 24,
}
XL = {
    "block_out_channels": (32, 64, 128),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "attention_head_dim": (2, 4, 8),
    "cross_attention_dim": 48,
    "transformer_layers_per_block": (1, 2, 3),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 16 + 48,
}
SD4 = {
    **SD,
    "block_out_channels": (32, 64, 64, 64),
    "down_block_types": (*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
}
FAMILIES = {"sd": SD, "sd4": SD4, "xl": XL}
"""Parameters that a small UNet of diffusers and its ControlNet share."""


@pytest.fixture(scope="session")
def atelier() -> Atelier:
    """The built-in plugins and this one, whatever is installed or configured."""
    found = Atelier(policy=Policy(allow=frozenset()), strict=True)
    found.register(plugin, "latelier-addons", "0.1.0")
    return found


def fill(module: nn.Module, seed: int = 0, std: float = 0.08) -> nn.Module:
    """Fill every parameter, the zero-initialised ones too, for inference."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in module.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator) * std)
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def redraw() -> Callable[..., nn.Module]:
    """Fill all parameters of a module from a seed."""
    return fill


@dataclass
class Models:
    """A UNet of diffusers, ours with its weights, and the arguments of a call of both."""

    shared: dict[str, Any]
    theirs: Any
    ours: UNet
    x: Tensor
    t: Tensor
    tokens: Tensor
    added: dict[str, Tensor]
    condition: Condition


def new_models(family: str) -> Models:
    from diffusers import UNet2DConditionModel

    shared = FAMILIES[family]
    up = [each.replace("Down", "Up") for each in reversed(shared["down_block_types"])]
    theirs = fill(UNet2DConditionModel(**shared, up_block_types=up))
    published = {"_class_name": "UNet2DConditionModel", **theirs.config}
    fields = unet_config_from_diffusers(published, "text", {})
    ours = UNet(UNetConfig.model_validate(fields))
    ours.load_state_dict(unet_from_diffusers(ours.config, theirs.state_dict()))
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    tokens, vectors, added = draw(2, 5, shared["cross_attention_dim"]), {}, {}
    if family == "xl":
        added = {"text_embeds": draw(2, 16), "time_ids": draw(2, 6).abs() * 100}
        sizes = theirs.add_time_proj(added["time_ids"].flatten()).view(2, -1)
        vectors = dict(zip(ours.config.joint_vectors, (added["text_embeds"], sizes), strict=True))
    return Models(
        shared,
        theirs,
        ours.eval().requires_grad_(False),
        draw(2, 4, 8, 16),
        torch.tensor([901.0, 13.0]),
        tokens,
        added,
        Condition(streams={"text": Stream(tokens)}, vectors=vectors),
    )


@pytest.fixture(scope="session")
def models() -> Callable[[str], Models]:
    """The models of a family, "sd" or "xl", made once."""
    made: dict[str, Models] = {}
    return lambda family: made.setdefault(family, made.get(family) or new_models(family))


@pytest.fixture(scope="session")
def pipe(models: Callable[[str], Models], atelier: Atelier) -> Pipeline:
    """A pipeline whose UNet is the small one of Stable Diffusion, for pictures of 64 pixels."""
    tensors = models("sd4").ours.state_dict()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        pipeline = compose(
            first_stage=(
                "autoencoder_kl",
                {"ch": 8, "ch_mult": (1, 1, 1, 1), "num_res_blocks": 1, "num_groups": 4},
            ),
            denoiser=("unet", models("sd4").ours.config.model_dump()),
            conditioners={"text": ("text", {"width": 24, "layers": 1, "heads": 2})},
            inputs={"prompt": "text"},
            process={"kind": "vp"},
            defaults={"size": 64, "steps": 3, "guidance": 3.0},
            device="cpu",
            dtype="float32",
            atelier=atelier,
        )
    pipeline.denoiser.load_state_dict(tensors)
    pipeline.conditioner_components["text"].module.fit(["a red cat in a meadow"])
    return pipeline


@pytest.fixture(scope="session")
def new_controlnet() -> Callable[..., Any]:
    """Make a small ControlNet of diffusers for a family."""

    def make(family: str, **changes: Any) -> Any:
        from diffusers import ControlNetModel

        hint = {"conditioning_embedding_out_channels": (4, 8, 12, 16)}
        return fill(ControlNetModel(**{**FAMILIES[family], **hint, **changes}), seed=1)

    return make


@pytest.fixture
def import_adapter(tmp_path: Path, atelier: Atelier) -> Callable[..., LoadedAdapter]:
    """Import an adapter and load it for a denoiser."""

    def load(source: Path, denoiser: Any, **options: Any) -> LoadedAdapter:
        folder = tmp_path / "imported"
        import_model(source, folder, atelier=atelier, force=folder.exists(), **options)
        return restore_adapter(read_adapter(folder), folder, {"denoiser": denoiser}, atelier)

    return load


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[..., Path]:
    """Write tensors to a file, with the config.json beside it if one is given."""

    def write(tensors: Mapping[str, Tensor], name: str, config: Any = None) -> Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(exist_ok=True)
        write_weights(path, {key: each.contiguous() for key, each in tensors.items()})
        if config is not None:
            (path.parent / "config.json").write_text(json.dumps(config))
        return path

    return write


@pytest.fixture(scope="session")
def pixels() -> Tensor:
    """Hints of 64 x 128 pixels, (2, 3, 64, 128) in 0..1."""
    return torch.rand(2, 3, 64, 128, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="session")
def to_cells() -> Callable[[Tensor], Tensor]:
    """Make of hints what the hint conditioner makes of them."""

    def make(pixels: Tensor) -> Tensor:
        cells = nn.functional.pixel_unshuffle(pixels, 8)
        return nn.functional.pad(cells, (0, 0, 0, 0, 0, 1), value=1.0)

    return make


@pytest.fixture(scope="session")
def cells(pixels: Tensor, to_cells: Callable[[Tensor], Tensor]) -> Tensor:
    """The same hints as the hint conditioner gives them."""
    return to_cells(pixels)
