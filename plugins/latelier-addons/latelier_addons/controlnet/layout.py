"""The names of the tensors of ControlNets in published files, and here.

Files have one of two layouts: that of the original code, with names as here, bare or after
"control_model."; and that of diffusers.
"""

import re
from collections.abc import Iterable

_PREFIX = "control_model."
_DIFFUSERS = "controlnet_cond_embedding.conv_in.weight"
_RECOGNIZED = ("input_hint_block.0.weight", "zero_convs.0.0.weight")
_ENCODER = ("time_embed.", "input_blocks.", "middle_block.", "label_emb.")
_TYPES = ("task_embedding", "transformer_layes.", "spatial_ch_projs.", "control_add_embedding.")

_RENAMES = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    "controlnet_mid_block": "middle_block_out.0",
}
_RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_DOWN = re.compile(r"down_blocks\.(\d+)\.(resnets|attentions|downsamplers)\.(\d+)\.(.+)")
_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")
_NUMBERED = re.compile(r"(controlnet_down_blocks|controlnet_cond_embedding\.blocks)\.(\d+)\.(.+)")


def is_controlnet(names: Iterable[str]) -> bool:
    """Return whether the names are those of a ControlNet for the UNet of a picture."""
    found = set(rename(names).values())
    is_video = any(".motion_modules." in name for name in found)
    return found.issuperset(_RECOGNIZED) and not is_video


def rename(names: Iterable[str]) -> dict[str, str]:
    """Return name in the file -> name here; an unknown name is kept."""
    found = {name: name.removeprefix(_PREFIX) for name in names}
    if _DIFFUSERS in found:
        per_level = 2 + max((int(m[3]) for m in map(_DOWN.fullmatch, found) if m), default=0)
        last_hint = 2 * (1 + sum(".blocks." in name for name in found) // 2)
        found = {name: _from_diffusers(name, per_level, last_hint) for name in found}
    return {
        theirs: f"encoder.{ours}"
        if ours.startswith(_ENCODER)
        else f"encoder.control_type.{ours}"
        if ours.startswith(_TYPES)
        else ours
        for theirs, ours in found.items()
    }


def select_own(names: Iterable[str]) -> list[str]:
    """Return the names that are of the ControlNet in a file, which may hold a whole model too."""
    found = list(names)
    return [name for name in found if name.startswith(_PREFIX)] or found


def _from_diffusers(name: str, per_level: int, last_hint: int) -> str:
    """Return the original name of a tensor of diffusers.

    Args:
        name: of the tensor.
        per_level: input blocks of a level: its residual blocks, and the downsampling.
        last_hint: number of the last layer of the hint's network.
    """
    if found := _DOWN.fullmatch(name):
        level, kind, i, rest = int(found[1]), found[2], int(found[3]), found[4]
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * per_level}.0.{rest.replace('conv.', 'op.', 1)}"
        block = f"input_blocks.{1 + level * per_level + i}"
        return f"{block}.1.{rest}" if kind == "attentions" else f"{block}.0.{_residual(rest)}"
    if found := _MIDDLE.fullmatch(name):
        kind, i, rest = found[1], int(found[2]), found[3]
        attends = kind == "attentions"
        return f"middle_block.1.{rest}" if attends else f"middle_block.{2 * i}.{_residual(rest)}"
    if found := _NUMBERED.fullmatch(name):
        is_hint, i, leaf = found[1].endswith(".blocks"), int(found[2]), found[3]
        return f"input_hint_block.{2 * i + 2}.{leaf}" if is_hint else f"zero_convs.{i}.0.{leaf}"
    path, _, leaf = name.rpartition(".")
    if path == "controlnet_cond_embedding.conv_out":
        return f"input_hint_block.{last_hint}.{leaf}"
    return f"{_RENAMES[path]}.{leaf}" if path in _RENAMES else name


def _residual(inner: str) -> str:
    path, _, leaf = inner.rpartition(".")
    return f"{_RESIDUAL.get(path, path)}.{leaf}"
