"""The tensors of T2I-Adapters in published files, and the configuration that their shapes give.

Files have one of two layouts: that of diffusers, as here after "adapter."; and the original one,
whose full variants number the residual blocks of all stages in a row, and whose light variant calls
those of a stage "body".
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from latelier.contracts.errors import ModelFileError

from latelier_addons.t2i_adapter.config import HINT_PATCH

Shapes = Mapping[str, tuple[int, ...]]

_PREFIX = "adapter."
_FULL = re.compile(r"body\.(\d+)\.(block[12]|in_conv)\.(.+)")
_LIGHT = re.compile(r"body\.(\d+)\.body\.(.+)")
_STAGES = 4


def is_t2i_adapter(names: Iterable[str]) -> bool:
    """Return whether the names are those of a T2I-Adapter."""
    renamed = set(rename(names).values())
    return {"body.0.resnets.0.block1.weight", "body.3.resnets.0.block1.weight"} <= renamed


def rename(names: Iterable[str]) -> dict[str, str]:
    """Return name in the file -> name here; an unknown name is kept."""
    found = {name: name.removeprefix(_PREFIX) for name in names}
    if "body.0.block1.weight" in found:
        numbers = [int(match[1]) for match in map(_FULL.fullmatch, found) if match]
        per_stage = max((max(numbers) + 1) // _STAGES, 1)
        return {theirs: _from_full(name, per_stage) for theirs, name in found.items()}
    return {theirs: _LIGHT.sub(r"body.\1.resnets.\2", name) for theirs, name in found.items()}


def _from_full(name: str, per_stage: int) -> str:
    found = _FULL.fullmatch(name)
    if not found:
        return name
    (stage, i), layer, leaf = divmod(int(found[1]), per_stage), found[2], found[3]
    if layer == "in_conv":  # of the first block of a stage
        return f"body.{stage}.in_conv.{leaf}"
    return f"body.{stage}.resnets.{i}.{layer}.{leaf}"


def config_from_shapes(shapes: Shapes) -> dict[str, Any]:
    """Return the fields of a configuration.

    Args:
        shapes: of the tensors, under our names.

    Raises:
        ModelFileError: a tensor is missing, or the first has an unknown number of channels.
    """
    is_light = "body.0.out_conv.weight" in shapes
    first = _shape(shapes, "body.0.in_conv.weight" if is_light else "conv_in.weight")
    last = "out_conv" if is_light else "resnets.0.block2"
    blocks = {name.split(".")[3] for name in shapes if name.startswith("body.0.resnets.")}
    cell = HINT_PATCH**2
    kinds = {cell: (1, ""), 3 * cell: (3, ""), 4 * cell: (1, "_xl"), 12 * cell: (3, "_xl")}
    if first[1] not in kinds:
        raise ModelFileError(
            f"its first layer takes {first[1]} channels; those of T2I-Adapters take "
            f"{', '.join(map(str, kinds))}"
        )
    colors, suffix = kinds[first[1]]
    return {
        "variant": "light" if is_light else f"full{suffix}",
        "widths": [_shape(shapes, f"body.{i}.{last}.weight")[0] for i in range(_STAGES)],
        "num_res_blocks": len(blocks),
        "colors": colors,
    }


def _shape(shapes: Shapes, name: str) -> tuple[int, ...]:
    try:
        return shapes[name]
    except KeyError:
        raise ModelFileError(f"a T2I-Adapter without its tensor '{name}' is incomplete") from None
