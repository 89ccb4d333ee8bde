"""From a file of the LoRA family to the changes of a model's parameters."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latelier.checkpoints.io.weights import read_weights
from latelier.checkpoints.lora.keys import find_other_kind
from latelier.checkpoints.lora.layers import find_parameters
from latelier.checkpoints.lora.names import PublishedLayer, name_table
from latelier.checkpoints.lora.peft import PeftScales
from latelier.checkpoints.lora.reading import (
    check_finite,
    list_names,
    locate_layers,
    warn_of_lost,
    widen,
)
from latelier.contracts.adapters import Model, WeightChange
from latelier.contracts.errors import ModelFileError
from torch import Tensor

from latelier_addons.lycoris.building import FileLayer
from latelier_addons.lycoris.changes import combine
from latelier_addons.lycoris.keys import parse_key

_log = logging.getLogger(__name__)

_UNSUPPORTED = {"OFT", "BOFT", "(IA)^3"}
"""Kinds of changes that are not read."""


@dataclass(frozen=True, eq=False)
class LycorisFile:
    """What was read from a file.

    Attributes:
        changes: by the addresses of their parameters.
        forms: of the changes, by the names of the layers in the file.
        tensors: of the layers that the model has, by their names in the file.
        metadata: of the file's header, as far as it says something of the tensors.
    """

    changes: Mapping[str, WeightChange]
    forms: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def read_file(path: Path, model: Model) -> LycorisFile:
    """Read a file of the LoRA family in any known layout for a model.

    A warning in the log lists the layers of the file that the model does not have.

    Args:
        path: of a safetensors file.
        model: the modules of the model, by place.

    Raises:
        ModelFileError: the file is missing, damaged, or has changes of a kind that is not read.
        CompatibilityError: it is for a model of other layers; names them.
    """
    tensors, scales = read_weights(path), PeftScales.read(path)
    layers = _collect_layers(path, tensors, scales)
    located = locate_layers(path, layers, name_table(model))
    own = {name: layers[name] for name in located}
    changes = _build_changes(own, located, model)
    warn_of_lost(path, layers, located)
    return LycorisFile(
        changes,
        {name: layer.form or "bias" for name, layer in own.items()},
        {
            name: tensor
            for name, tensor in tensors.items()
            if (key := parse_key(name)) and key.layer in own
        },
        scales.metadata(),
    )


def _collect_layers(
    path: Path, tensors: Mapping[str, Tensor], scales: PeftScales
) -> dict[str, FileLayer]:
    """Return the layers of a file by their names."""
    other = find_other_kind(tensors)
    if other in _UNSUPPORTED:
        raise ModelFileError(f"{path}: has changes of the kind {other}, which is not supported")
    parts: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for name, tensor in tensors.items():
        key = parse_key(name)
        if key is None:
            unknown.append(name)
        else:
            parts.setdefault(key.layer, {})[key.part] = widen(f"{path}: '{name}'", tensor)
    if unknown:
        _log.warning("%s: no part of a change, left out: %s", path, list_names(unknown))
    check_finite(path, parts)
    return {name: FileLayer(f"{path}: '{name}'", name, own, scales) for name, own in parts.items()}


def _build_changes(
    layers: Mapping[str, FileLayer], located: Mapping[str, PublishedLayer], model: Model
) -> dict[str, WeightChange]:
    parameters = find_parameters(model)
    pieces: dict[str, list[tuple[Tensor, WeightChange]]] = {}
    for name, layer in layers.items():
        published = located[name]
        weight = parameters[f"{published.address}.weight"]
        shape = len(published.rows), *weight.shape[1:]
        for parameter, change in (
            ("weight", layer.build_weight(shape)),
            ("bias", layer.build_bias(shape[0])),
        ):
            if change is not None:
                address = f"{published.address}.{parameter}"
                pieces.setdefault(address, []).append((published.rows, change))
    without = [address for address in pieces if address not in parameters]
    if without:
        _log.warning("biases that the model does not have, left out: %s", list_names(without))
    return {
        address: combine(own, tuple(parameters[address].shape))
        for address, own in pieces.items()
        if address in parameters
    }
