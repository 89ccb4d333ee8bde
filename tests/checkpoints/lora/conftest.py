"""Models of every layer kind, and LoRAs over all their layers."""

import pytest
import torch

from latelier.checkpoints.component import new_component
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.lora.writing import write_changes
from latelier.nn.low_rank import LowRank

UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 16,
    "channel_mult": (1, 2),
    "num_res_blocks": 1,
    "attention_resolutions": (2,),
    "num_heads": 2,
    "num_groups": 4,
}
STREAMS = {
    "context_dim": 16,
    "streams": {
        "text": {"width": 16, "injection": "native"},
        "other": {"width": 6, "injection": "named"},
    },
    "vectors": {"label": 8},
}
DENOISERS = {
    "unet": ("unet", UNET),
    "conditioned unet": ("unet", {**UNET, **STREAMS}),
    "unet with linear projections": (
        "unet",
        {**UNET, **STREAMS, "use_linear_projections": True, "resblock_updown": True},
    ),
    "transformer": (
        "transformer",
        {
            "input_size": 8,
            "in_channels": 4,
            "out_channels": 4,
            "hidden_size": 16,
            "depth": 2,
            "num_heads": 2,
            **STREAMS,
        },
    ),
}


def fill(module, seed=0):
    """Draw all weights, those that start at zero too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in module.parameters():
            fan = weights[0].numel() if weights.ndim > 1 else 16
            weights.copy_(torch.randn(weights.shape, generator=generator) / fan**0.5)
    return module.eval().requires_grad_(False)


def modules_of(components):
    return {place: component.module for place, component in components.items()}


def read_lora(path, components):
    return Lora.read(path, modules_of(components))


def write_lora(path, lora, components, layout="diffusers"):
    return write_changes(path, lora.layers, modules_of(components), layout)


def draw_lora(components, only=lambda address: True, seed=0, ranks=(1, 2, 3, 4), alphas=None):
    """Return a LoRA of mixed ranks and alphas over all layers; some alphas are the rank."""
    generator = torch.Generator().manual_seed(seed)
    changes = {}
    for i, (address, layer) in enumerate(find_layers(modules_of(components)).items()):
        rank = ranks[i % len(ranks)]
        down = torch.randn(rank, *layer.weight.shape[1:], generator=generator) * 0.1
        up = torch.randn(len(layer.weight), rank, generator=generator)
        alpha = (alphas or (rank, 1.0, 6.5))[i % len(alphas or "abc")]
        if only(address):
            changes[address] = LowRank(down, up, float(alpha))
    return Lora(changes).eval().requires_grad_(False)


@pytest.fixture
def model_of(built_ins):
    """Builds a denoiser with a text encoder, by the name of the denoiser."""

    def build(name, text="text"):
        denoiser = new_component("denoiser", *DENOISERS[name], built_ins)
        config = {"width": 16, "layers": 2, "heads": 2} if text == "text" else {"width": 16}
        conditioner = new_component("conditioner", text, config, built_ins)
        fill(denoiser.module)
        fill(conditioner.module, seed=1)
        return {"denoiser": denoiser, "conditioners.text": conditioner}

    return build


@pytest.fixture
def unet_model(model_of):
    return model_of("conditioned unet")
