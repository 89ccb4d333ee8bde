"""Files of weights that hold an adapter alone, such as those of LoRAs."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from latelier.checkpoints.adapter import LoadedAdapter, is_weight_adapter, read_weight_adapter
from latelier.checkpoints.importers.choosing import find_importers
from latelier.checkpoints.importers.source import open_source
from latelier.checkpoints.io.header import read_metadata
from latelier.checkpoints.lora.keys import find_other_kind, name_reader
from latelier.checkpoints.lora.peft import copy_config
from latelier.checkpoints.manifests import ADAPTER_FILE
from latelier.checkpoints.pickles.copies import ConvertedCopies
from latelier.checkpoints.weight_files import as_safetensors, shapes_of
from latelier.contracts.adapters import Model
from latelier.contracts.errors import LatelierError, ModelFileError
from latelier.contracts.messages import pip_install
from latelier.io.hashing import sha256_of
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.guard import guard_plugin

_SUFFIXES = {".safetensors", ".pt", ".bin", ".ckpt"}

_SAID = (
    "modelspec.title",
    "modelspec.architecture",
    "modelspec.trigger_phrase",
    "ss_base_model_version",
    "ss_output_name",
    "ss_network_dim",
    "ss_network_alpha",
)
"""What training tools write in the header of a file, as far as it helps its users."""

_IN_FOLDERS = ("adapter_model", "pytorch_lora_weights", "learned_embeds")
"""Names of the file of weights in the folders that peft and diffusers write."""


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
            copy_config(path.parent, weights.parent)
        kind = _find_kind(path, shapes_of(weights), copies, atelier)
        with _naming(path, weights):
            adapter = read_weight_adapter(kind, weights, sha256_of(path), model, atelier)
    finally:
        copies.remove()
    return LoadedAdapter(name_of(path), adapter)


def describe_adapter_file(path: Path, atelier: Atelier) -> dict[str, Any]:
    """Return what a file of weights is, how to use it, and what its header says of it.

    Raises:
        ModelFileError: the file is damaged or hostile, or nothing here reads it; says what it is.
    """
    copies = ConvertedCopies()
    try:
        weights = as_safetensors(path, copies)
        shapes, metadata = shapes_of(weights), read_metadata(weights)
        found = _list_kinds(shapes, atelier)
        use = f"--adapter {path}" if found else explain_other_format(path, atelier, copies)
        if use is None:
            _find_kind(path, shapes, copies, atelier)  # says what it is
    finally:
        copies.remove()
    said = {key: metadata[key] for key in _SAID if metadata.get(key)}
    return {"kind": " or ".join(found) or None, "use": use, "tensors": len(shapes), **said}


def find_weights(path: Path) -> Path:
    """Return the file of weights in a folder of peft or diffusers, and any other path itself."""
    if not path.is_dir() or (path / ADAPTER_FILE).is_file():
        return path
    files = (
        path / f"{name}{suffix}" for name in _IN_FOLDERS for suffix in (".safetensors", ".bin")
    )
    return next((file for file in files if file.is_file()), path)


def explain_other_format(
    path: Path, atelier: Atelier, copies: ConvertedCopies | None = None
) -> str | None:
    """Return how to import a file or folder that an importer reads; None if none does.

    Args:
        path: of what was named as an adapter.
        atelier: where importers are registered.
        copies: of pickles.
    """
    try:
        source = replace(open_source(path, None, {}), copies=copies or ConvertedCopies())
        found = find_importers(source, atelier)
    except LatelierError:
        return None
    if not found:
        return None
    return (
        f"is of a format that is imported first ('{found[0][0]}'): run "
        f"`latelier import {path} DEST`, and use DEST"
    )


def suggest_suffix(path: Path) -> str:
    """Return which file is meant by a path that lacks its suffix; '' if there is none."""
    named = (path.with_name(f"{path.name}{suffix}") for suffix in sorted(_SUFFIXES))
    found = next((each for each in named if each.is_file()), None)
    return "" if found is None else f" Did you mean '{found}'?"


def name_of(path: Path) -> str:
    """Return the name of the adapter in a file: letters, digits and underscores."""
    stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    stem = path.absolute().parent.name if stem in _IN_FOLDERS else stem
    name = re.sub(r"\W+", "_", stem).strip("_") or "adapter"
    return name if name.isidentifier() else f"adapter_{name}"


@contextmanager
def _naming(path: Path, weights: Path) -> Iterator[None]:
    """Name a file in errors where its copy is read."""
    try:
        yield
    except LatelierError as error:
        if weights == path:
            raise
        raise type(error)(str(error).replace(str(weights), str(path))) from None


def _find_kind(
    path: Path, shapes: Mapping[str, tuple[int, ...]], copies: ConvertedCopies, atelier: Atelier
) -> str:
    """Return the id of the kind of adapter that a file holds, by the shapes of its tensors."""
    found = _list_kinds(shapes, atelier)
    if len(found) > 1:
        raise ModelFileError(f"{path}: several plugins read it: {' and '.join(found)}")
    if found:
        return found[0]
    imported = explain_other_format(path, atelier, copies)
    if imported is not None:
        raise ModelFileError(f"{path}: {imported}")
    other = find_other_kind(shapes)
    if other is not None:
        raise ModelFileError(f"{path}: holds {other}, which {_explain_unread(other, atelier)}")
    raise ModelFileError(
        f"{path}: is not a LoRA: none of its {len(shapes)} tensors is a low-rank change. "
        "`latelier import` reads models, ControlNets and others; an adapter is named by its folder"
    )


def _explain_unread(kind: str, atelier: Atelier) -> str:
    """Return why another kind of change is not read: its plugin is missing, or there is none."""
    reader = name_reader(kind)
    if reader is None or any(each.distribution == reader for each in atelier.adapter_kinds.specs()):
        return (
            "no plugin here reads; latelier itself reads LoRA and LoCon, low-rank changes of "
            "linear layers and convolutions"
        )
    failure = atelier.load_failure(reader)
    return f"the plugin {reader} reads: {failure or pip_install(reader)}"


def _list_kinds(shapes: Mapping[str, tuple[int, ...]], atelier: Atelier) -> list[str]:
    """Return the ids of the kinds of adapters that recognize the shapes of a file's tensors."""
    return [
        spec.id for spec in atelier.adapter_kinds.specs() if _recognizes(spec.id, shapes, atelier)
    ]


def _recognizes(id_: str, shapes: Mapping[str, tuple[int, ...]], atelier: Atelier) -> bool:
    kind = atelier.adapter_kinds.get(id_)
    if not is_weight_adapter(kind):
        return False
    with guard_plugin(f"the adapter kind '{id_}'"):
        return bool(kind.recognizes(shapes))
