"""The layers of a UNet under our names and under diffusers'. Pure functions of dictionaries."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from torch import Tensor

from latelier.denoisers.configs import UNetConfig

Kind = Literal["same", "residual", "attention"]


class Layer(NamedTuple):
    """A layer: what is inside it, and its path here and there. width: of an attention."""

    kind: Kind
    ours: str
    theirs: str
    width: int = 0


UNET_TABLE = "class_embedding.weight"
"""The table of classes that a UNet of theirs may hold; here it is the conditioner's."""

_ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
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
    """Return the state dict of a UNet under diffusers' names."""
    by_path = {layer.ours: layer for layer in _layers(config)}
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, inside = _located(name, by_path)
        if layer is None:
            found[name] = tensor
        elif layer.kind == "attention" and inside.startswith("qkv."):
            leaf = inside.removeprefix("qkv.")
            for each, part in zip(
                _PROJECTIONS, split(tensor, config.heads(layer.width)), strict=True
            ):
                found[f"{layer.theirs}.{each}.{leaf}"] = part
        else:
            renamed = _renamed(inside, _INNER[layer.kind])
            matrix = layer.kind == "attention" and tensor.ndim == 3
            found[f"{layer.theirs}.{renamed}"] = tensor[:, :, 0] if matrix else tensor
    return found


def unet_from_diffusers(config: UNetConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a UNet under our names; what has no place keeps its own."""
    layers = _layers(config)
    by_path = {layer.theirs: layer for layer in layers}
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, inside = _located(name, by_path)
        if layer is None:
            found[name] = tensor
            continue
        if layer.kind == "attention":
            inside = _renamed(inside, _FORMER)
        renamed = _renamed(inside, {there: here for here, there in _INNER[layer.kind].items()})
        matrix = layer.kind == "attention" and tensor.ndim == 2
        found[f"{layer.ours}.{renamed}"] = tensor[:, :, None] if matrix else tensor
    for layer in layers:
        if layer.kind == "attention":
            _join(found, layer.ours, config.heads(layer.width))
    return _shaped(config, found)


def split(whole: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Return q, k and v (C, C) or (C,) of their joint weight (3 C, C, 1) or bias (3 C,).

    The joint one holds, for each head, its q, then its k, then its v.
    """
    width = len(whole) // 3
    parts = whole.reshape(heads, 3, width // heads, *whole.shape[1:2]).unbind(1)
    return tuple(part.reshape(width, *whole.shape[1:2]) for part in parts)


def joined(parts: tuple[Tensor, ...], heads: int) -> Tensor:
    """Return the joint weight or bias of q, k and v: the inverse of `split`."""
    from torch import stack

    width = len(parts[0])
    each = [part.reshape(heads, width // heads, *part.shape[1:2]) for part in parts]
    return stack(each, 1).reshape(3 * width, *parts[0].shape[1:])


def _join(found: dict[str, Tensor], path: str, heads: int) -> None:
    """Replace q, k and v in place where all three are there."""
    for leaf in ("weight", "bias"):
        names = [f"{path}.{each}.{leaf}" for each in _PROJECTIONS]
        if all(name in found for name in names):
            found[f"{path}.qkv.{leaf}"] = joined(tuple(found.pop(name) for name in names), heads)


def _shaped(config: UNetConfig, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return projections around transformers as the configuration has them: files differ."""
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
    blocks = config.num_res_blocks
    for level, width in enumerate(widths):
        theirs = f"down_blocks.{level}"
        for i in range(blocks):
            ours = f"input_blocks.{1 + level * (blocks + 1) + i}"
            yield Layer("residual", f"{ours}.0", f"{theirs}.resnets.{i}")
            if 2**level in config.attention_resolutions:
                yield Layer(attention, f"{ours}.1", f"{theirs}.attentions.{i}", width)
        if level < len(widths) - 1:
            ours = f"input_blocks.{(level + 1) * (blocks + 1)}.0"
            yield _resampling(config, ours, f"{theirs}.downsamplers.0", "op")


def _up(config: UNetConfig, widths: list[int], attention: Kind) -> Iterator[Layer]:
    blocks = config.num_res_blocks + 1
    for k, (level, width) in enumerate(reversed(list(enumerate(widths)))):
        theirs = f"up_blocks.{k}"
        attends = 2**level in config.attention_resolutions
        for i in range(blocks):
            ours = f"output_blocks.{k * blocks + i}"
            yield Layer("residual", f"{ours}.0", f"{theirs}.resnets.{i}")
            if attends:
                yield Layer(attention, f"{ours}.1", f"{theirs}.attentions.{i}", width)
        if level > 0:
            ours = f"output_blocks.{k * blocks + blocks - 1}.{2 if attends else 1}"
            yield _resampling(config, ours, f"{theirs}.upsamplers.0", "conv")


def _resampling(config: UNetConfig, ours: str, theirs: str, inner: str) -> Layer:
    if config.resblock_updown:
        return Layer("residual", ours, theirs)
    return Layer("same", f"{ours}.{inner}", f"{theirs}.conv")


def _located(name: str, by_path: Mapping[str, Layer]) -> tuple[Layer | None, str]:
    """Return the layer that a tensor is in, and its name inside."""
    path = name
    while path:
        path = path.rpartition(".")[0]
        if path in by_path:
            return by_path[path], name.removeprefix(f"{path}.")
    return None, name


def _renamed(name: str, names: Mapping[str, str]) -> str:
    path, _, leaf = name.rpartition(".")
    return f"{names.get(path, path)}.{leaf}" if path else name
