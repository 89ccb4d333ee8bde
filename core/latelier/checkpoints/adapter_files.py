"""Files of weights that hold an adapter alone, such as those of LoRAs."""

import re
from collections.abc import Mapping
from pathlib import Path

from latelier.checkpoints.adapter import LoadedAdapter, is_weight_adapter, read_weight_adapter
from latelier.checkpoints.lora.keys import find_other_kind
from latelier.checkpoints.pickles.copies import ConvertedCopies
from latelier.checkpoints.weight_files import as_safetensors, shapes_of
from latelier.contracts.adapters import Model
from latelier.contracts.errors import ModelFileError
from latelier.io.hashing import sha256_of
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.guard import guard_plugin

_SUFFIXES = {".safetensors", ".pt", ".bin", ".ckpt"}


def read_adapter_file(path: Path, model: Model, atelier: Atelier) -> LoadedAdapter:
    """Return the adapter in a file, of the registered kind that recognizes it.

    Raises:
        ModelFileError: the file is missing, damaged, hostile, or no adapter.
        CompatibilityError: it is for a model of other layers; names them.
    """
    copies = ConvertedCopies()  # of pickles, which are read in a sandbox
    try:
        weights = as_safetensors(path, copies)
        if weights != path:
            weights = weights.rename(weights.with_name(f"{path.stem}.safetensors"))
        kind = _find_kind(path, shapes_of(weights), atelier)
        adapter = read_weight_adapter(kind, weights, sha256_of(path), model, atelier)
    finally:
        copies.remove()
    return LoadedAdapter(name_of(path), adapter)


def name_of(path: Path) -> str:
    """Return the name of the adapter in a file: letters, digits and underscores."""
    stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    name = re.sub(r"\W+", "_", stem).strip("_") or "adapter"
    return name if name.isidentifier() else f"adapter_{name}"


def _find_kind(path: Path, shapes: Mapping[str, tuple[int, ...]], atelier: Atelier) -> str:
    """Return the id of the kind of adapter that a file holds, by the shapes of its tensors."""
    found = [
        spec.id for spec in atelier.adapter_kinds.specs() if _recognizes(spec.id, shapes, atelier)
    ]
    if len(found) > 1:
        raise ModelFileError(f"{path}: several plugins read it: {' and '.join(found)}")
    if found:
        return found[0]
    other = find_other_kind(shapes)
    if other is not None:
        raise ModelFileError(
            f"{path}: is a {other}, which no plugin here reads; latelier itself reads LoRA and "
            "LoCon, low-rank changes of linear layers and convolutions"
        )
    raise ModelFileError(
        f"{path}: is not a LoRA: none of its {len(shapes)} tensors is a low-rank change. "
        "`latelier import` reads models and IP-Adapters; an adapter is named by its folder"
    )


def _recognizes(id_: str, shapes: Mapping[str, tuple[int, ...]], atelier: Atelier) -> bool:
    kind = atelier.adapter_kinds.get(id_)
    if not is_weight_adapter(kind):
        return False
    with guard_plugin(f"the adapter kind '{id_}'"):
        return bool(kind.recognizes(shapes))
