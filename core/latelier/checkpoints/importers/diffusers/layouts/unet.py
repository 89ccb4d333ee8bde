"""The tensors of a UNet under our names and under those of diffusers. Pure functions."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from latelier.denoisers.configs import UNetConfig

Kind = Literal["same", "residual", "attention"]


class Layer(NamedTuple):
    """A layer of a UNet.

    Attributes:
        kind: how its tensors are named; "same": as here.
        ours: its path here.
        theirs: its path in diffusers.
        width: channels of an attention.
    """

    kind: Kind
    ours: str
    theirs: str
    width: int = 0


UNET_TABLE = "class_embedding.weight"
"""The class embedding table of a diffusers UNet; here it belongs to the conditioner."""

_ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_ATTENTION = {"norm": "group_norm", "proj_out": "to_out.0"}
_PROJECTIONS = ("to_q", "to_k", "to_v")
_FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_INNER: Mapping[Kind, Mapping[str, str]] = {
    "same": {},
    "residual": _RESIDUAL,
    "attention": _ATTENTION,
}


def unet_to_diffusers(config: UNetConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a UNet under the names of diffusers."""
    by_path = {layer.ours: layer for layer in _layers(config)}
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, inner = _find_layer(name, by_path)
        if layer is None:
            found[name] = tensor
        elif layer.kind == "attention":
            found |= _attention_to_diffusers(layer, inner, tensor, config.heads(layer.width))
        else:
            found[f"{layer.theirs}.{_rename(inner, _INNER[layer.kind])}"] = tensor
    return found


def unet_from_diffusers(config: UNetConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a UNet under our names; an unknown tensor keeps its name."""
    layers = _layers(config)
    by_path = {layer.theirs: layer for layer in layers}
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, inner = _find_layer(name, by_path)
        if layer is None:
            found[name] = tensor
            continue
        if layer.kind == "attention":
            inner = _rename(inner, _FORMER)
        renamed = _rename(inner, {theirs: ours for ours, theirs in _INNER[layer.kind].items()})
        is_matrix = layer.kind == "attention" and tensor.ndim == 2
        found[f"{layer.ours}.{renamed}"] = tensor[:, :, None] if is_matrix else tensor
    for layer in layers:
        if layer.kind == "attention":
            _join_in_place(found, layer.ours, config.heads(layer.width))
    return _reshape_projections(config, found)


def split_qkv(joint: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Return q, k and v, (C, C) or (C,), of their joint weight (3 C, C, 1) or bias (3 C,).

    The joint one holds, for each head, its q, then its k, then its v.
    """
    width = len(joint) // 3
    parts = joint.reshape(heads, 3, width // heads, *joint.shape[1:2]).unbind(1)
    return tuple(part.reshape(width, *joint.shape[1:2]) for part in parts)


def join_qkv(parts: tuple[Tensor, ...], heads: int) -> Tensor:
    """Return the joint weight or bias of q, k and v: the inverse of `split_qkv`."""
    width = len(parts[0])
    each = [part.reshape(heads, width // heads, *part.shape[1:2]) for part in parts]
    return torch.stack(each, 1).reshape(3 * width, *parts[0].shape[1:])


def _attention_to_diffusers(
    layer: Layer, inner: str, tensor: Tensor, heads: int
) -> dict[str, Tensor]:
    if inner.startswith("qkv."):
        leaf = inner.removeprefix("qkv.")
        parts = zip(_PROJECTIONS, split_qkv(tensor, heads), strict=True)
        return {f"{layer.theirs}.{each}.{leaf}": part for each, part in parts}
    matrix = tensor[:, :, 0] if tensor.ndim == 3 else tensor
    return {f"{layer.theirs}.{_rename(inner, _ATTENTION)}": matrix}


def _join_in_place(tensors: dict[str, Tensor], path: str, heads: int) -> None:
    """Replace the q, k and v of an attention by their joint tensor, if all three are there."""
    for leaf in ("weight", "bias"):
        names = [f"{path}.{each}.{leaf}" for each in _PROJECTIONS]
        if all(name in tensors for name in names):
            parts = tuple(tensors.pop(name) for name in names)
            tensors[f"{path}.qkv.{leaf}"] = join_qkv(parts, heads)


def _reshape_projections(config: UNetConfig, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, the projections of transformers as linear layers or as convolutions.

    Files have them in either form, whatever their configuration.
    """
    ends, dims = (".proj_in.weight", ".proj_out.weight"), 2 if config.use_linear_projections else 4
    if config.context_dim is None:
        return tensors
    return {
        name: tensor.reshape(*tensor.shape[:2], *[1] * (dims - 2))
        if name.endswith(ends) and tensor.ndim in (2, 4)
        else tensor
        for name, tensor in tensors.items()
    }


def _layers(config: UNetConfig) -> list[Layer]:
    attention: Kind = "attention" if config.context_dim is None else "same"
    widths = [config.model_channels * multiple for multiple in config.channel_mult]
    middle = [
        Layer("residual", "middle_block.0", "mid_block.resnets.0"),
        Layer(attention, "middle_block.1", "mid_block.attentions.0", widths[-1]),
        Layer("residual", "middle_block.2", "mid_block.resnets.1"),
    ]
    ends = [Layer("same", ours, theirs) for ours, theirs in _ENDS.items()]
    return [*ends, *middle, *_down(config, widths, attention), *_up(config, widths, attention)]


def _down(config: UNetConfig, widths: list[int], attention: Kind) -> Iterator[Layer]:
    per_level = config.num_res_blocks + 1
    for level, width in enumerate(widths):
        theirs = f"down_blocks.{level}"
        for i in range(config.num_res_blocks):
            ours = f"input_blocks.{1 + level * per_level + i}"
            yield from _block(config, level, ours, f"{theirs}.{{}}.{i}", attention, width)
        if level < len(widths) - 1:
            ours = f"input_blocks.{(level + 1) * per_level}.0"
            yield _resampling(config, ours, f"{theirs}.downsamplers.0", "op")


def _up(config: UNetConfig, widths: list[int], attention: Kind) -> Iterator[Layer]:
    per_level = config.num_res_blocks + 1
    for k, (level, width) in enumerate(reversed(list(enumerate(widths)))):
        theirs = f"up_blocks.{k}"
        for i in range(per_level):
            ours = f"output_blocks.{k * per_level + i}"
            yield from _block(config, level, ours, f"{theirs}.{{}}.{i}", attention, width)
        if level > 0:
            last = 2 if _attends(config, level) else 1
            ours = f"output_blocks.{k * per_level + per_level - 1}.{last}"
            yield _resampling(config, ours, f"{theirs}.upsamplers.0", "conv")


def _block(
    config: UNetConfig, level: int, ours: str, theirs: str, attention: Kind, width: int
) -> Iterator[Layer]:
    """Yield the layers of a block; `theirs` has {} for the kind of layer."""
    yield Layer("residual", f"{ours}.0", theirs.format("resnets"))
    if _attends(config, level):
        yield Layer(attention, f"{ours}.1", theirs.format("attentions"), width)


def _attends(config: UNetConfig, level: int) -> bool:
    return 2**level in config.attention_resolutions


def _resampling(config: UNetConfig, ours: str, theirs: str, inner: str) -> Layer:
    if config.resblock_updown:
        return Layer("residual", ours, theirs)
    return Layer("same", f"{ours}.{inner}", f"{theirs}.conv")


def _find_layer(name: str, by_path: Mapping[str, Layer]) -> tuple[Layer | None, str]:
    """Return the layer that holds a tensor, and the rest of the name."""
    path = name
    while path:
        path = path.rpartition(".")[0]
        if path in by_path:
            return by_path[path], name.removeprefix(f"{path}.")
    return None, name


def _rename(name: str, names: Mapping[str, str]) -> str:
    path, _, leaf = name.rpartition(".")
    return f"{names.get(path, path)}.{leaf}" if path else name
