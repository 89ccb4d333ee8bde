"""The names of tensors in files of IP-Adapter, and our names.

In `ip_adapter.{N}.to_k_ip.weight` and `to_v_ip.weight` N counts the attentions of the UNet: down
blocks first, then up blocks, the middle block last. Each pair begins with a self-attention, so N is
1, 3, 5 ... `image_proj.proj` and `image_proj.norm` project the image's vector to tokens.
"""

import re
from collections.abc import Collection

from latelier.checkpoints.io.shapes import Shapes
from latelier.contracts.errors import ModelFileError

_KEYS = re.compile(r"ip_adapter\.(\d+)\.to_k_ip\.weight")
_SIDES = ("input_blocks.", "output_blocks.", "middle_block.")
_PROJECTION = {
    f"image_proj.{layer}.{leaf}": f"projection.{layer}.{leaf}"
    for layer in ("proj", "norm")
    for leaf in ("weight", "bias")
}


def is_ip_adapter(shapes: Shapes) -> bool:
    """Return whether the names are those of IP-Adapter or one of its variants."""
    prefixes = {name.partition(".")[0] for name in shapes}
    return prefixes == {"image_proj", "ip_adapter"}


def key_shapes(shapes: Shapes) -> list[tuple[int, int]]:
    """Return (width of the queries, width of the tokens) of each cross-attention, in file order.

    Raises:
        ModelFileError: they are not numbered 1, 3, 5 ..., or one is not a matrix.
    """
    numbers = sorted(int(found[1]) for found in map(_KEYS.fullmatch, shapes) if found)
    if not numbers or numbers != list(range(1, 2 * len(numbers), 2)):
        raise ModelFileError(
            f"IP-Adapter: expected cross-attentions numbered 1, 3, 5 ..., got {numbers[:10]}"
        )
    return [matrix(shapes, f"ip_adapter.{number}.to_k_ip.weight") for number in numbers]


def matrix(shapes: Shapes, name: str) -> tuple[int, int]:
    """Return the rows and columns of a weight.

    Raises:
        ModelFileError: the weight is missing, or is not a matrix.
    """
    shape = shapes.get(name, ())
    if len(shape) != 2 or 0 in shape:
        raise ModelFileError(f"IP-Adapter: expected a matrix '{name}', got {shape or 'none'}")
    rows, columns = shape
    return rows, columns


def in_file_order(cross_attentions: Collection[str]) -> list[str]:
    """Return the names of a UNet's cross-attentions, sorted as in the file."""
    return [name for side in _SIDES for name in cross_attentions if name.startswith(side)]


def check_projection(shapes: Shapes) -> None:
    """Check that the projection to tokens is one linear layer and a norm.

    Raises:
        ModelFileError: it is something else, as in IP-Adapter Plus and FaceID.
    """
    found = {name for name in shapes if name.startswith("image_proj.")}
    if found != _PROJECTION.keys():
        other = ", ".join(sorted(found - _PROJECTION.keys())[:3]) or "a part of that"
        raise ModelFileError(
            "only the IP-Adapter whose image_proj is a linear layer and a norm is supported, not "
            f"Plus and FaceID; this file has {other}"
        )


def renames(layers: Collection[str]) -> dict[str, str]:
    """Return name in the file -> our name, for layers in the order of the file."""
    found = dict(_PROJECTION)
    for i, layer in enumerate(layers):
        for theirs, ours in (("to_k_ip", "to_k"), ("to_v_ip", "to_v")):
            found[f"ip_adapter.{2 * i + 1}.{theirs}.weight"] = f"layers.{layer}.{ours}.weight"
    return found
