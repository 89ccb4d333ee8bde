"""Models of every layer kind, and files of changes over all their layers."""

from typing import Any

import pytest
import torch
from latelier.checkpoints.component import Component, new_component
from latelier.checkpoints.lora.layers import find_parameters
from latelier.checkpoints.merging import merge
from latelier.contracts.adapters import Model
from safetensors.torch import save_file
from torch import Tensor, nn

from latelier_addons.lycoris.adapter import Lycoris

STREAMS = {"context_dim": 16, "streams": {"text": {"width": 16, "injection": "native"}}}
DENOISERS: dict[str, dict[str, Any]] = {
    "unet": {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 16,
        "channel_mult": (1, 2),
        "num_res_blocks": 1,
        "attention_resolutions": (2,),
        "num_heads": 2,
        "num_groups": 4,
        **STREAMS,
    },
    "transformer": {
        "input_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "hidden_size": 16,
        "depth": 2,
        "num_heads": 2,
        **STREAMS,
    },
}
PLAIN_UNET = {k: each for k, each in DENOISERS["unet"].items() if k not in STREAMS}
"""Its attentions have one convolution of one dimension for queries, keys and values."""


def fill(module: nn.Module, seed: int = 0, scale: float = 1.0) -> nn.Module:
    """Draw all weights, those that start at zero too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in module.parameters():
            fan = weights[0].numel() if weights.ndim > 1 else 16
            drawn = torch.randn(weights.shape, generator=generator)
            weights.copy_(scale * drawn / max(fan, 1) ** 0.5)
    return module.eval().requires_grad_(False)


@pytest.fixture
def model_of(atelier):
    """Builds a denoiser with a text encoder, by the name of the denoiser."""

    def build(name: str = "unet", **changes: Any) -> dict[str, Component]:
        config = PLAIN_UNET if name == "plain unet" else DENOISERS[name]
        kind = name.removeprefix("plain ")
        denoiser = new_component("denoiser", kind, {**config, **changes}, atelier)
        text = {"width": 16, "layers": 1, "heads": 2}
        conditioner = new_component("conditioner", "text", text, atelier)
        fill(denoiser.module)
        fill(conditioner.module, seed=1)
        return {"denoiser": denoiser, "conditioners.text": conditioner}

    return build


def modules_of(components: dict[str, Component]) -> Model:
    return {place: component.module for place, component in components.items()}


def write(path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None):
    """Write a file; return its path."""
    save_file({name: each.clone().contiguous() for name, each in tensors.items()}, path, metadata)
    return path


def merged_parameters(components: dict[str, Component], path, scale: float = 1.0):
    """Return the parameters of the model with the changes of a file, by address."""
    adapter = Lycoris.read(path, modules_of(components))
    merged = merge(components, [(adapter, scale)])
    return find_parameters(modules_of({**components, **merged}))
