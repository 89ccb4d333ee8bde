"""The names of tensors in files of LoRAs, taken apart. Pure functions."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_SPELLINGS = (
    r"(?:\.lora_{0}|[._]lora\.{0}|\.lora_linear_layer\.{0}|\.lora_{1}(?:\.default)?)\.weight"
)

_PARTS = {
    "down": _SPELLINGS.format("down", "A"),
    "up": _SPELLINGS.format("up", "B"),
    "middle": r"\.lora_mid\.weight",
    "alpha": r"\.alpha",
}
_KEY = re.compile("(.+?)(?:" + "|".join(f"(?P<{n}>{p})" for n, p in _PARTS.items()) + ")")

BUNDLE = "bundle_emb."
"""The names of embeddings that a file of a LoRA brings along begin with it."""

WITH_WORDS = "embeddings"

_OTHER_KINDS = {
    "OFT": re.compile(r"\.oft_(?:blocks|diag|R|r\b)"),
    "BOFT": re.compile(r"\.boft_"),
    "(IA)^3": re.compile(r"\.on_input$"),
    "LoHa": re.compile(r"\.hada_[wt]\d"),
    "LoKr": re.compile(r"\.lokr_[wt]\d"),
    "DoRA": re.compile(r"\.dora_scale$|\.lora_magnitude_vector"),
    "GLoRA": re.compile(r"\.[ab][12]\.weight$"),
    "whole differences": re.compile(r"\.diff(?:_b)?$|\.w_norm$|\.b_norm$"),
    WITH_WORDS: re.compile(rf"^{re.escape(BUNDLE)}|^(?:string_to_param\.\*|emb_params|clip_[lg])$"),
}
"""Other kinds of changes -> what the names of their tensors end with; the rarest first."""

_READERS = {
    **dict.fromkeys(("LoHa", "LoKr", "DoRA", "GLoRA", "whole differences"), "latelier-addons"),
    WITH_WORDS: "latelier-transformers",
}
"""Other kinds of changes -> the plugin that reads them."""

_PROJECTIONS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
"""Early diffusers' names of the projections in text encoders -> those of the layers."""


class LoraKey(NamedTuple):
    """The name of a tensor.

    Attributes:
        layer: the layer that it changes, with the prefix of the component.
        part: "down", "up", "middle" or "alpha".
    """

    layer: str
    part: str


def parse_key(name: str) -> LoraKey | None:
    """Return the layer and part that a tensor belongs to; None if it is no part of a LoRA."""
    match = _KEY.fullmatch(name)
    if match is None:
        return None
    part = next(each for each in _PARTS if match[each] is not None)
    return LoraKey(_current_name(match[1]), part)


def find_other_kind(names: Iterable[str]) -> str | None:
    """Return which other kind of change some tensors are by their names; None: none of them is.

    Of several kinds it is the rarest.
    """
    found = list(names)
    for kind, ending in _OTHER_KINDS.items():
        if any(map(ending.search, found)):
            return kind
    return None


def name_reader(kind: str) -> str | None:
    """Return the plugin that reads another kind of change; None where there is none."""
    return _READERS.get(kind)


def _current_name(layer: str) -> str:
    """Return the name of a layer today: early diffusers named processors of attentions."""
    path, _, last = layer.rpartition(".")
    if ".self_attn" in path and last in _PROJECTIONS:
        return f"{path}.{_PROJECTIONS[last]}"
    if path.endswith(".processor"):
        return f"{path.removesuffix('.processor')}.{'to_out.0' if last == 'to_out' else last}"
    return layer
