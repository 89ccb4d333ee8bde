"""A LoRA as a file in one of the common layouts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from latelier.checkpoints.io.weights import write_weights
from latelier.checkpoints.lora.names import (
    DENOISER,
    diffusers_layers,
    split_encoders,
    text_encoders,
    to_kohya,
)
from latelier.contracts.adapters import Model
from latelier.denoisers.unet import UNet
from latelier.nn.low_rank import LowRank

Layout = Literal["latelier", "diffusers", "kohya"]
"""Names of layers as here, as in diffusers (or peft), or as in Kohya's scripts."""


def write_changes(
    path: Path, changes: Mapping[str, LowRank], model: Model, layout: Layout = "diffusers"
) -> str:
    """Write a LoRA as safetensors and return the SHA-256 of the file.

    Layers that other programs have no name for keep theirs.

    Args:
        path: of the file.
        changes: by the addresses of their layers.
        model: the modules of the model, by place.
        layout: names of the tensors. Only that of latelier keeps the changes bit by bit where
            layers are split; that of diffusers has the scales in the tensors.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    if layout == "latelier":
        return write_weights(path, own_tensors(changes))
    prefixes, encode = _LAYOUTS[layout]
    tensors: dict[str, Tensor] = {}
    parts = split_encoders(model)
    for place, prefix in prefixes(parts).items():
        for published in diffusers_layers(parts[place], place):
            change = changes.get(published.address)
            if change is not None:
                tensors |= encode(f"{prefix}{published.name}", change, published.rows)
    return write_weights(path, tensors)


def own_tensors(changes: Mapping[str, LowRank]) -> dict[str, Tensor]:
    """Return the tensors of a LoRA in latelier's own layout."""
    tensors: dict[str, Tensor] = {}
    for address, change in changes.items():
        tensors[f"{address}.lora_A.weight"] = change.down
        tensors[f"{address}.lora_B.weight"] = change.up
        tensors[f"{address}.alpha"] = torch.tensor(change.alpha, dtype=torch.float64)
    return tensors


def _encode_diffusers(name: str, change: LowRank, rows: Tensor) -> dict[str, Tensor]:
    """Return A and B with alpha = r, which every reader takes for a missing alpha."""
    down, up = _published_shapes(change)
    return {
        f"{name}.lora_A.weight": down,
        f"{name}.lora_B.weight": up[rows] * (change.alpha / change.rank),
    }


def _encode_kohya(name: str, change: LowRank, rows: Tensor) -> dict[str, Tensor]:
    down, up = _published_shapes(change)
    layer = to_kohya(name)
    return {
        f"{layer}.lora_down.weight": down,
        f"{layer}.lora_up.weight": up[rows],
        f"{layer}.alpha": torch.tensor(float(change.alpha)),
    }


def _published_shapes(change: LowRank) -> tuple[Tensor, Tensor]:
    """Return A and B as of a linear layer, or of a two-dimensional convolution."""
    if change.down.ndim == 4:
        return change.down, change.up[:, :, None, None]
    return change.down.flatten(1), change.up


def _diffusers_prefixes(parts: Model) -> dict[str, str]:
    found = {place: f"{place}." for place in parts}
    is_unet = isinstance(parts[DENOISER], UNet)
    found[DENOISER] = "unet." if is_unet else "transformer."
    encoders = text_encoders(parts)
    return found | dict(zip(encoders, ("text_encoder.", "text_encoder_2."), strict=False))


def _kohya_prefixes(parts: Model) -> dict[str, str]:
    found = {place: f"{place}." for place in parts}
    found[DENOISER] = "lora_unet."
    encoders = text_encoders(parts)
    prefixes = ("lora_te.",) if len(encoders) == 1 else ("lora_te1.", "lora_te2.")
    return found | dict(zip(encoders, prefixes, strict=False))


_LAYOUTS = {
    "diffusers": (_diffusers_prefixes, _encode_diffusers),
    "kohya": (_kohya_prefixes, _encode_kohya),
}
