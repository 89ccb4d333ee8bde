"""Names of the files of weights of a component, on disk and on the hub."""

import re
from collections.abc import Collection
from itertools import product

STEM = "diffusion_pytorch_model"
TEXT_STEMS = ("model", "pytorch_model", STEM)
"""Stems of a text encoder's weights, as transformers and diffusers write it."""

SUFFIXES = (".safetensors", ".bin")

_VARIANTS = ("", ".fp32", ".fp16", ".bf16", ".non_ema", ".ema")
"""Variants of weights, the preferred first. A variant counts more than a suffix."""


def find_weights(names: Collection[str], *stems: str) -> str | None:
    """Return the preferred file of weights, or the preferred index of shards, if there is one.

    Args:
        names: of the files in the folder of the component.
        stems: names of the file without variant and suffix, the preferred first.
    """
    for variant, suffix, stem in product(_VARIANTS, SUFFIXES, stems):
        for name in (f"{stem}{variant}{suffix}", f"{stem}{suffix}.index{variant}.json"):
            if name in names:
                return name
    return None


def find_weight_files(names: Collection[str], *stems: str) -> list[str]:
    """Return the files that hold the weights: the one that `find_weights` finds, or its shards."""
    found = find_weights(names, *stems)
    if found is None or not found.endswith(".json"):
        return [] if found is None else [found]
    start, _, variant = found.removesuffix(".json").partition(".index")
    stem, _, suffix = start.rpartition(".")
    number, variant = r"-\d+-of-\d+", re.escape(variant)
    shard = rf"{re.escape(stem)}({variant}{number}|{number}{variant})\.{suffix}"
    return [name for name in names if re.fullmatch(shard, name)]
