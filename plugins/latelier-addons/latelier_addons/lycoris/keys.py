"""The names of tensors in files of the LoRA family, taken apart. Pure functions."""

import re

from latelier.checkpoints.lora import keys
from latelier.checkpoints.lora.keys import LoraKey

_PART = re.compile(
    r"(?P<layer>.+?)\.(?P<part>"
    r"hada_w[12]_[ab]|hada_t[12]|lokr_w[12](?:_[ab])?|lokr_t2|[ab][12](?=\.weight$)|bm(?=\.weight$)|"
    r"diff|diff_b|w_norm|b_norm|dora_scale|lora_magnitude_vector"
    r")(?:\.default)?(?:\.weight)?"
)


def parse_key(name: str) -> LoraKey | None:
    """Return the layer and part that a tensor belongs to; None if it is no part of a change."""
    match = _PART.fullmatch(name)
    return keys.parse_key(name) if match is None else LoraKey(match["layer"], match["part"])


def is_beyond_lora(name: str) -> bool:
    """Return whether a tensor is part of a change that the core does not read."""
    return _PART.fullmatch(name) is not None
