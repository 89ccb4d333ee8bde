"""The layers of an autoencoder under our names and under diffusers'. Pure functions."""

import re
from collections.abc import Mapping

from torch import Tensor

_NAMES = (
    (r"(encoder\.down|decoder\.up)\.(\d+)\.block\.(\d+)\.", r"\1_blocks.\2.resnets.\3."),
    (r"(encoder\.down|decoder\.up)\.(\d+)\.attn\.(\d+)\.", r"\1_blocks.\2.attentions.\3."),
    (r"encoder\.down\.(\d+)\.downsample\.conv\.", r"encoder.down_blocks.\1.downsamplers.0.conv."),
    (r"decoder\.up\.(\d+)\.upsample\.conv\.", r"decoder.up_blocks.\1.upsamplers.0.conv."),
    (r"(encoder|decoder)\.mid\.block_1\.", r"\1.mid_block.resnets.0."),
    (r"(encoder|decoder)\.mid\.block_2\.", r"\1.mid_block.resnets.1."),
    (r"(encoder|decoder)\.mid\.attn_1\.", r"\1.mid_block.attentions.0."),
    (r"(encoder|decoder)\.norm_out\.", r"\1.conv_norm_out."),
)
_BACK = (
    (r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.resnets\.(\d+)\.", r"\1.\2.block.\3."),
    (r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.attentions\.(\d+)\.", r"\1.\2.attn.\3."),
    (r"encoder\.down_blocks\.(\d+)\.downsamplers\.0\.conv\.", r"encoder.down.\1.downsample.conv."),
    (r"decoder\.up_blocks\.(\d+)\.upsamplers\.0\.conv\.", r"decoder.up.\1.upsample.conv."),
    (r"(encoder|decoder)\.mid_block\.resnets\.0\.", r"\1.mid.block_1."),
    (r"(encoder|decoder)\.mid_block\.resnets\.1\.", r"\1.mid.block_2."),
    (r"(encoder|decoder)\.mid_block\.attentions\.0\.", r"\1.mid.attn_1."),
    (r"(encoder|decoder)\.conv_norm_out\.", r"\1.norm_out."),
)
_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
}
_FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_UP = re.compile(r"(decoder\.up(?:_blocks)?\.)(\d+)(\..*)")


def autoencoder_to_diffusers(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Return the state dict of an autoencoder of that many levels under diffusers' names."""
    found = {}
    for name, tensor in tensors.items():
        there = _substituted(_up_reversed(name, levels), _NAMES)
        if ".attentions." in there:
            path, inside, leaf = _without_shared_storage(there)
            there = f"{path}.{_ATTENTION[inside]}.{leaf}"
            tensor = tensor[:, :, 0, 0] if tensor.ndim == 4 else tensor  # noqa: PLW2901
        found[there.replace("nin_shortcut", "conv_shortcut")] = tensor
    return found


def autoencoder_from_diffusers(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Return the state dict of an autoencoder of that many levels under our names."""
    back = {there: here for here, there in _ATTENTION.items()}
    found = {}
    for name, tensor in tensors.items():
        here = name.replace("conv_shortcut", "nin_shortcut")
        if ".attentions." in here:
            path, inside, leaf = _without_shared_storage(here)
            inside = _FORMER.get(inside, inside)
            here = f"{path}.{back.get(inside, inside)}.{leaf}"
            tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor  # noqa: PLW2901
        found[_up_reversed(_substituted(here, _BACK), levels)] = tensor
    return found


def _up_reversed(name: str, levels: int) -> str:
    """Return a name with the levels of the decoder counted from the other end."""
    match = _UP.fullmatch(name)
    if match is None:
        return name
    return f"{match[1]}{levels - 1 - int(match[2])}{match[3]}"


def _without_shared_storage(name: str) -> tuple[str, str, str]:
    """Return the path of an attention, the layer in it, and the tensor."""
    match = re.fullmatch(r"(.*\.attentions\.\d+)\.(.+)\.(\w+)", name)
    assert match is not None, name
    return match[1], match[2], match[3]


def _substituted(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in patterns:
        name, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return name
    return name
