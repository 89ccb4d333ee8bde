"""The names of a model's layers in files of LoRAs.

A file names a layer as latelier does, which for UNets and transformers are the names of the
published checkpoints, or as diffusers does. Kohya's files write "_" for each dot.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from latelier.checkpoints.importers.diffusers.layouts.transformer import dit_to_diffusers
from latelier.checkpoints.importers.diffusers.layouts.unet import unet_to_diffusers
from latelier.checkpoints.lora.layers import find_weighted_layers, select_layers
from latelier.contracts.adapters import Model
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.unet import UNet

DENOISER = "denoiser"

_DENOISER_PREFIXES = (
    "denoiser.", "unet.", "transformer.", "diffusion_model.", "model.diffusion_model.",
    "base_model.model.", "lora_unet.", "lora_transformer.", "lycoris.", "",
)  # fmt: skip
_TEXT_PREFIXES = (
    ("text_encoder.", "lora_te.", "lora_te1.", "base_model.model.", ""),
    ("text_encoder_2.", "lora_te2."),
)
"""Of the first and of the second text encoder of a model, such as the two of SDXL."""

_TEXT_MODEL = "text_model."
"""A level of CLIP's names that some files leave out."""


@dataclass(frozen=True, eq=False)
class PublishedLayer:
    """A layer as files name it: a whole layer of the model, or some of its outputs.

    Attributes:
        name: in files, without the prefix of its component.
        address: of the model's layer.
        rows: the rows of the model's weight that it is, (n,) int64.
    """

    name: str
    address: str
    rows: Tensor


def name_table(model: Model) -> dict[str, PublishedLayer]:
    """Return the layers of a model by all names that files may give them, with "_" for dots."""
    table: dict[str, PublishedLayer] = {}
    parts = split_encoders(model)
    for place, prefixes in _prefixes(parts).items():
        module = parts[place]
        layers = [*_own_layers(module, place), *diffusers_layers(module, place)]
        names = [
            (name, layer)
            for layer in layers
            for name in (layer.name, layer.name.removeprefix(_TEXT_MODEL))
        ]
        for prefix in prefixes:
            for name, layer in names:
                table.setdefault(to_kohya(f"{prefix}{name}"), layer)
    return table


def to_kohya(name: str) -> str:
    """Return the name of a layer with "_" for each dot."""
    return name.replace(".", "_")


def diffusers_layers(module: nn.Module, place: str) -> list[PublishedLayer]:
    """Return the layers of a component under the names of diffusers, which splits some of them.

    The layout of whole weights tells the names: as the weight of each layer it is given numbers of
    rows, which count on from layer to layer.
    """
    layers = select_layers(find_weighted_layers({place: module}), place)
    numbers, starts = {}, [0]
    for path, layer in layers.items():
        shape = (-1, *[1] * (layer.weight.ndim - 1))
        end = starts[-1] + len(layer.weight)
        numbers[f"{path}.weight"] = torch.arange(starts[-1], end).view(shape)
        starts.append(end)
    found, paths = [], list(layers)
    for name, rows in _rename(module, numbers).items():
        index = bisect_right(starts, int(rows.flatten()[0])) - 1
        address = f"{place}.{paths[index]}"
        own = rows.flatten() - starts[index]
        found.append(PublishedLayer(name.removesuffix(".weight"), address, own))
    return found


def split_encoders(model: Model) -> dict[str, Any]:
    """Return the modules of a model by place, with the encoders of a pair in place of the pair.

    Their places are those of layers, such as "conditioners.text.clip_l".
    """
    parts: dict[str, Any] = {}
    for place, module in model.items():
        children = module.named_children() if isinstance(module, nn.Module) else ()
        encoders = {f"{place}.{name}": each for name, each in children if _takes_text(each)}
        parts |= encoders or {place: module}
    return parts


def text_encoders(parts: Model) -> list[str]:
    """Return the places of the conditioners that take texts."""
    return [place for place, module in parts.items() if _takes_text(module)]


def _takes_text(module: Any) -> bool:
    return "text" in getattr(getattr(module, "Input", None), "model_fields", ())


def _rename(module: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return tensors of a component under the names of diffusers, or their own without any."""
    if isinstance(module, UNet):
        return unet_to_diffusers(module.config, tensors)
    if isinstance(module, Transformer):
        return dit_to_diffusers(tensors)
    return tensors


def _own_layers(module: nn.Module, place: str) -> list[PublishedLayer]:
    layers = select_layers(find_weighted_layers({place: module}), place)
    return [
        PublishedLayer(path, f"{place}.{path}", torch.arange(len(layer.weight)))
        for path, layer in layers.items()
    ]


def _prefixes(parts: Model) -> dict[str, tuple[str, ...]]:
    """Return the prefixes of the names of each component's layers, by place."""
    found: dict[str, tuple[str, ...]] = {place: (f"{place}.",) for place in parts}
    found[DENOISER] = _DENOISER_PREFIXES
    for place, prefixes in zip(text_encoders(parts), _TEXT_PREFIXES, strict=False):
        found[place] += prefixes
    return found
