"""The names of tensors in files of IP-Adapter, and ours.

`ip_adapter.{N}.to_k_ip.weight` and `to_v_ip.weight`: N counts the attentions of the UNet, first
those on the way down, then those on the way up, the middle last. Of each two the first is
self-attention, so that N is 1, 3, 5 ... `image_proj.proj` and `image_proj.norm` make tokens of the
image's vector.
"""

import re
from collections.abc import Collection, Mapping

from latelier.contracts.errors import ModelFileError

Shapes = Mapping[str, tuple[int, ...]]

_KEYS = re.compile(r"ip_adapter\.(\d+)\.to_k_ip\.weight")
_SIDES = ("input_blocks.", "output_blocks.", "middle_block.")
_PROJECTION = {
    f"image_proj.{layer}.{leaf}": f"projection.{layer}.{leaf}"
    for layer in ("proj", "norm")
    for leaf in ("weight", "bias")
}


def is_ip_adapter(shapes: Shapes) -> bool:
    """Tell whether the names are those of IP-Adapter and its kin."""
    prefixes = {name.partition(".")[0] for name in shapes}
    return prefixes == {"image_proj", "ip_adapter"}


def key_shapes(shapes: Shapes) -> list[tuple[int, int]]:
    """Return (width of the queries, width of the tokens) of each cross-attention, in file order.

    Raises:
        ModelFileError: they are not counted 1, 3, 5 ..., or one is no matrix.
    """
    numbers = sorted(int(found[1]) for found in map(_KEYS.fullmatch, shapes) if found)
    if not numbers or numbers != list(range(1, 2 * len(numbers), 2)):
        raise ModelFileError(
            f"IP-Adapter counts its cross-attentions 1, 3, 5 ..., and this file {numbers[:10]}"
        )
    return [matrix(shapes, f"ip_adapter.{number}.to_k_ip.weight") for number in numbers]


def matrix(shapes: Shapes, name: str) -> tuple[int, int]:
    """Return the rows and columns of a weight.

    Raises:
        ModelFileError: it is not there, or is no matrix.
    """
    shape = shapes.get(name, ())
    if len(shape) != 2 or 0 in shape:
        raise ModelFileError(f"IP-Adapter has a matrix '{name}', and this file {shape or 'none'}")
    rows, columns = shape
    return rows, columns


def in_file_order(cross_attentions: Collection[str]) -> list[str]:
    """Return the names of a UNet's cross-attentions in the order of the file."""
    return [name for side in _SIDES for name in cross_attentions if name.startswith(side)]


def check_projection(shapes: Shapes) -> None:
    """Check that tokens are made by one linear layer and a norm.

    Raises:
        ModelFileError: by something else, as in IP-Adapter Plus and FaceID.
    """
    found = {name for name in shapes if name.startswith("image_proj.")}
    if found != _PROJECTION.keys():
        other = ", ".join(sorted(found - _PROJECTION.keys())[:3]) or "not all of them"
        raise ModelFileError(
            "only the IP-Adapter whose image_proj is a linear layer and a norm is read, not those "
            f"called Plus and FaceID; this file has {other}"
        )


def renames(layers: Collection[str]) -> dict[str, str]:
    """Return the name in the file -> ours, for layers in the order of the file."""
    found = dict(_PROJECTION)
    for i, layer in enumerate(layers):
        for theirs, ours in (("to_k_ip", "to_k"), ("to_v_ip", "to_v")):
            found[f"ip_adapter.{2 * i + 1}.{theirs}.weight"] = f"layers.{layer}.{ours}.weight"
    return found
