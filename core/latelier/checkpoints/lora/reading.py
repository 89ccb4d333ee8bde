"""From a file of a LoRA to the changes of a model's layers."""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from latelier.checkpoints.io.header import read_metadata
from latelier.checkpoints.io.weights import read_weights
from latelier.checkpoints.lora.keys import BUNDLE, parse_key
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.names import PublishedLayer, name_table, to_kohya
from latelier.checkpoints.lora.peft import PeftScales
from latelier.checkpoints.lora.pieces import Piece, combine
from latelier.contracts.adapters import Model
from latelier.contracts.errors import CompatibilityError, ModelFileError
from latelier.nn.low_rank import ChangeableLayer, LowRank

_log = logging.getLogger(__name__)

_MAX_LISTED = 5
"""Most names that a message lists."""

_FAMILIES = {
    "double_blocks": "FLUX",
    "single_transformer_blocks": "FLUX",
    "joint_blocks": "Stable Diffusion 3",
    "lora_te3": "Stable Diffusion 3",
    "img_mod": "Qwen-Image",
    "noise_refiner": "Z-Image",
    "lora_te2": "Stable Diffusion XL",
}
"""Part of a name -> the model that LoRAs with such names are for."""

_CONTEXTS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
"""Width that the keys of cross-attentions take -> the model."""

_KEYS = "attn2.to_k"

_DECLARATIONS = ("ss_base_model_version", "modelspec.architecture")
"""Texts in the header of a file in which training tools say what it is for."""

_DECLARED = {
    "Stable Diffusion XL": re.compile(r"sdxl|diffusion-xl"),
    "Stable Diffusion 3": re.compile(r"sd_?3|diffusion-3"),
    "Stable Diffusion 2": re.compile(r"sd_v2|diffusion-v2"),
    "Stable Diffusion 1": re.compile(r"sd_v1|diffusion-v1"),
    "FLUX": re.compile(r"flux"),
}
"""Model -> what these texts have for it."""

Parts = dict[str, dict[str, Tensor]]
"""Layer, by its name in the file -> part of its change -> tensor."""


def read_changes(path: Path, model: Model) -> dict[str, LowRank]:
    """Read the file of a LoRA in any known layout for a model.

    A warning in the log lists the layers of the file that the model does not have.

    Args:
        path: of a safetensors file.
        model: the modules of the model, by place.

    Returns:
        The changes by the addresses of their layers.

    Raises:
        ModelFileError: the file is missing, damaged, or no LoRA.
        CompatibilityError: it is for a model of other layers; names them.
    """
    parts = _collect_parts(path, read_weights(path))
    layers = find_layers(model)
    table = {name: each for name, each in name_table(model).items() if each.address in layers}
    named = locate_layers(path, parts, table)
    scales = PeftScales.read(path)
    pieces: dict[str, list[Piece]] = {}
    for name, published in named.items():
        piece = Piece.of(parts[name], published.rows, partial(scales.alpha, name))
        pieces.setdefault(published.address, []).append(piece)
    _check_shapes(path, pieces, layers)
    warn_of_lost(path, parts, named)
    return {address: combine(own, layers[address].weight.shape) for address, own in pieces.items()}


def _collect_parts(path: Path, tensors: Mapping[str, Tensor]) -> Parts:
    """Return the complete parts of each layer."""
    parts: Parts = {}
    unknown = []
    for name, tensor in tensors.items():
        key = parse_key(name)
        if key is not None:
            parts.setdefault(key.layer, {})[key.part] = widen(f"{path}: '{name}'", tensor)
        elif not name.startswith(BUNDLE):  # others read those
            unknown.append(name)
    if not parts:
        raise ModelFileError(
            f"{path}: is not a LoRA: none of its {len(tensors)} tensors is a low-rank change"
        )
    if unknown:
        _log.warning("%s: not of a LoRA, left out: %s", path, list_names(unknown))
    halves = [layer for layer, found in parts.items() if not {"down", "up"} <= found.keys()]
    if halves:
        raise ModelFileError(
            f"{path}: expected a down and an up tensor for each layer, one of them is missing for "
            f"{list_names(halves)}"
        )
    for layer, found in parts.items():
        _check_parts(f"{path}: '{layer}'", found)
    check_finite(path, parts)
    return parts


def _check_parts(what: str, parts: Mapping[str, Tensor]) -> None:
    """Check that the tensors of one layer go together."""
    down, up, middle, alpha = map(parts.get, ("down", "up", "middle", "alpha"))
    if down is None or up is None or min(down.ndim, up.ndim) < 2 or not len(down):
        raise ModelFileError(
            f"{what}: expected a down and an up tensor, matrices of rank 1 or more"
        )
    if alpha is not None and alpha.numel() != 1:
        raise ModelFileError(f"{what}: expected one number as alpha, got {alpha.numel()}")
    rank = len(down) if middle is None else len(middle)
    if rank != up.flatten(1).shape[1]:
        raise ModelFileError(
            f"{what}: has the rank {rank} in its down tensor and {up.flatten(1).shape[1]} in its "
            "up tensor"
        )
    if middle is not None and (middle.ndim != 4 or middle.shape[1] != len(down)):
        raise ModelFileError(
            f"{what}: expected a middle tensor (r, {len(down)}, h, w), got {tuple(middle.shape)}"
        )


def locate_layers(
    path: Path, names: Collection[str], table: Mapping[str, PublishedLayer]
) -> dict[str, PublishedLayer]:
    """Return the model's layers by their names in a file.

    Args:
        path: of the file.
        names: of layers in the file.
        table: the layers of the model by all their names, see `name_table`.

    Raises:
        CompatibilityError: the model has none of them.
    """
    named = {name: table[to_kohya(name)] for name in names if to_kohya(name) in table}
    if not named:
        text = " ".join(names)
        family = next((each for part, each in _FAMILIES.items() if part in text), None)
        raise CompatibilityError(
            f"{path}: is a LoRA of another model{_name_family(path, family)}: this one has none "
            f"of its layers: {list_names(list(names))}"
        )
    return named


def warn_of_lost(path: Path, names: Collection[str], named: Collection[str]) -> None:
    """Warn of the layers in a file that the model does not have.

    Args:
        path: of the file, which fits the model otherwise.
        names: of layers in the file.
        named: those that the model has.
    """
    lost = [name for name in names if name not in named]
    if lost:
        _log.warning(
            "%s: %d of its %d layers are not in the model and were left out: %s",
            path,
            len(lost),
            len(names),
            list_names(lost),
        )


def _name_family(path: Path, family: str | None) -> str:
    """Return the end of "of another model": the family as found, or as the file says it."""
    if family is None:
        metadata = read_metadata(path)
        text = " ".join(metadata.get(key, "") for key in _DECLARATIONS).lower()
        family = next((each for each, form in _DECLARED.items() if form.search(text)), None)
    return f", {family}" if family else ""


def _check_shapes(
    path: Path, pieces: Mapping[str, Sequence[Piece]], layers: Mapping[str, ChangeableLayer]
) -> None:
    misfits = {
        address: piece
        for address, own in pieces.items()
        for piece in own
        if (piece.inputs, piece.outputs) != (layers[address].weight[0].numel(), len(piece.rows))
    }
    if not misfits:
        return
    address, piece = next(iter(misfits.items()))
    contexts = [each.inputs for key, each in misfits.items() if key.endswith(_KEYS)]
    family = _CONTEXTS.get(contexts[0]) if contexts else None
    more = f" ({len(misfits)} layers differ)" if len(misfits) > 1 else ""
    raise CompatibilityError(
        f"{path}: is a LoRA of another model{_name_family(path, family)}: '{address}' maps "
        f"{layers[address].weight[0].numel()} to {len(piece.rows)} numbers, its change "
        f"{piece.inputs} to {piece.outputs}{more}"
    )


def check_finite(path: Path, parts: Parts) -> None:
    """Check that the numbers of all layers are finite.

    Raises:
        ModelFileError: some are not; names the layers.
    """
    bad = [
        layer
        for layer, each in parts.items()
        if not all(bool(torch.isfinite(tensor).all()) for tensor in each.values())
    ]
    if bad:
        raise ModelFileError(f"{path}: NaN or infinity in the change of {list_names(bad)}")


def widen(what: str, tensor: Tensor) -> Tensor:
    """Return a tensor to compute with: those of 8 bits in float32.

    Raises:
        ModelFileError: `what` holds no floating-point numbers.
    """
    if not tensor.is_floating_point():
        raise ModelFileError(f"{what}: expected floating-point numbers, got {tensor.dtype}")
    return tensor.float() if tensor.element_size() == 1 else tensor


def list_names(names: Sequence[str]) -> str:
    """Return the first of some names, quoted, and the number of the others."""
    listed = ", ".join(f"'{name}'" for name in names[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return f"{listed} and {more} more" if more > 0 else listed
