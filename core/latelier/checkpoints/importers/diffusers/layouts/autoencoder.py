"""The tensors of an autoencoder under our names and under those of diffusers. Pure functions."""

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
    """Return the state dict of an autoencoder of `levels` levels under the names of diffusers."""
    found = {}
    for name, tensor in tensors.items():
        theirs, value = _substitute(_reverse_levels(name, levels), _NAMES), tensor
        if ".attentions." in theirs:
            path, inner, leaf = _split_attention(theirs)
            theirs = f"{path}.{_ATTENTION[inner]}.{leaf}"
            value = tensor[:, :, 0, 0] if tensor.ndim == 4 else tensor
        found[theirs.replace("nin_shortcut", "conv_shortcut")] = value
    return found


def autoencoder_from_diffusers(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Return the state dict of an autoencoder of `levels` levels under our names."""
    to_ours = {theirs: ours for ours, theirs in _ATTENTION.items()}
    found = {}
    for name, tensor in tensors.items():
        ours, value = name.replace("conv_shortcut", "nin_shortcut"), tensor
        if ".attentions." in ours:
            path, inner, leaf = _split_attention(ours)
            inner = _FORMER.get(inner, inner)
            ours = f"{path}.{to_ours.get(inner, inner)}.{leaf}"
            value = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        found[_reverse_levels(_substitute(ours, _BACK), levels)] = value
    return found


def _reverse_levels(name: str, levels: int) -> str:
    """Return a name with the levels of the decoder counted from the other end."""
    match = _UP.fullmatch(name)
    if match is None:
        return name
    return f"{match[1]}{levels - 1 - int(match[2])}{match[3]}"


def _split_attention(name: str) -> tuple[str, str, str]:
    """Return the path of an attention, the layer inside, and the kind of tensor."""
    match = re.fullmatch(r"(.*\.attentions\.\d+)\.(.+)\.(\w+)", name)
    assert match is not None, name
    return match[1], match[2], match[3]


def _substitute(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in patterns:
        name, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return name
    return name
