"""Networks with random weights: the same ones for latelier and for diffusers."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from benchmarks.harness.case import SkipError
from latelier.checkpoints.component import Component
from latelier.checkpoints.importers.diffusers.export.component import convert_component
from latelier.checkpoints.io.weights import build_on_meta
from latelier.kernel.default import default_atelier
from latelier.kernel.spec import Kind
from latelier.presets import read_preset

KL_F8 = read_preset("kl-f8").first_stage.config
TOKENS = 77
"""Of a prompt."""


def read_unet(preset: str) -> dict[str, Any]:
    """Return the configuration of the UNet of a preset."""
    denoiser = read_preset(preset).denoiser
    assert denoiser is not None
    return denoiser.config


LDM_4, SD_15 = read_unet("celeba256"), read_unet("sd-v1")


def build(
    kind: Kind,
    id_: str,
    config: Mapping[str, Any],
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Component:
    """Return a component whose weights keep the variance of what they are multiplied with.

    No layer starts at zero, so that every one of them shows in the output.
    """
    registry = default_atelier().registries[kind]
    module = build_on_meta(lambda: registry.build(id_, config)).to(dtype)
    if any(each.is_meta for each in module.parameters()):
        module.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in module.named_parameters():
            if weights.ndim > 1:
                weights.normal_(std=weights[0].numel() ** -0.5, generator=generator)
            else:
                weights.fill_(1.0 if name.endswith("weight") else 0.0)
    spec = registry.spec(id_)
    return Component(kind, spec.id, spec.version, module.eval().requires_grad_(False))


def build_embedding(width: int) -> Component:
    """Return the conditioner that takes the embeddings of a prompt as they are."""
    config = {"width": width, "max_vectors": TOKENS}
    return build("conditioner", "latelier/embedding", config)


def to_diffusers(component: Component, sample_size: int = 64) -> Any:
    """Return the module of diffusers with the weights of a component, in the same memory.

    Raises:
        SkipError: diffusers is not installed.
    """
    diffusers = require_diffusers()
    config, tensors = convert_component(component, sample_size)
    with torch.device("meta"):
        module = getattr(diffusers, config["_class_name"]).from_config(config)
    module.load_state_dict(tensors, assign=True)
    return module.eval().requires_grad_(False)


def tune(module: nn.Module) -> Any:
    """Return a copy as a user of diffusers would tune it by hand: bf16, channels-last."""
    copied: Any = deepcopy(module)
    return copied.to(dtype=torch.bfloat16, memory_format=torch.channels_last)


def with_matrix_products(module: nn.Module) -> Any:
    """Return a module of diffusers whose attention is matrix products, with the same weights.

    On a CPU the fused kernel, the default, gains little from bf16.
    """
    from diffusers.models.attention_processor import Attention, AttnProcessor

    shared = {id(each): each for each in (*module.parameters(), *module.buffers())}
    copied = deepcopy(module, memo=dict(shared))
    for layer in copied.modules():
        if isinstance(layer, Attention):
            layer.set_processor(AttnProcessor())
    return copied


def require_diffusers() -> Any:
    """Return the package.

    Raises:
        SkipError: it is not installed.
    """
    try:
        import diffusers
    except ImportError:
        raise SkipError("diffusers is not installed") from None
    diffusers.utils.logging.set_verbosity_error()
    return diffusers
