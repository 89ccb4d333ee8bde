"""What a folder of a model, a component or an adapter holds, as plain values."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latelier.checkpoints.manifests import StoredComponent, StoredFile
    from latelier.kernel.atelier import Atelier
    from latelier.pipeline.storage.manifest_header import ManifestHeader


def read_parts(folder: Path) -> tuple[str, "dict[str, StoredComponent]"]:
    """Return what a folder holds ("model", "adapter" or a kind of component), and its parts.

    Raises:
        ModelFileError: the folder holds none of these, or a damaged one.
    """
    from latelier.checkpoints.io.json_files import read_json
    from latelier.checkpoints.manifests import (
        ADAPTER_FILE,
        COMPONENT_FILE,
        StandaloneComponent,
        read_adapter,
    )
    from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header

    is_model = (folder / MANIFEST).is_file()
    if not is_model and (folder / COMPONENT_FILE).is_file():
        stored = read_json(folder / COMPONENT_FILE, StandaloneComponent)
        return stored.kind, {stored.kind: stored}
    if not is_model and (folder / ADAPTER_FILE).is_file():
        return "adapter", read_adapter(folder).parts()
    return "model", read_manifest_header(folder).components()


def describe_model(
    name: str, folder: Path, header: "ManifestHeader", revision: str | None, atelier: "Atelier"
) -> dict[str, Any]:
    """Return the inputs, defaults, process, components and card of a model."""
    from latelier.cli.support.schemas import input_schemas, vocabularies

    schemas = input_schemas(header, atelier)
    words = vocabularies(header, folder, atelier)
    return {
        "name": name,
        "folder": str(folder),
        "revision": revision,
        "latelier": header.latelier,
        "description": header.description,
        "inputs": {
            public: {
                "feeds": list(fed),
                "schema": schemas[public],
                "vocabulary": words.get(public, []),
            }
            for public, fed in header.inputs.items()
        },
        "defaults": header.defaults.model_dump(mode="json"),
        "process": header.process,
        "adapters": {
            name: {"scale": each.scale, "start": each.start, "end": each.end, "source": each.source}
            for name, each in header.adapters.items()
        },
        "components": {
            place: describe_component(stored, folder)
            for place, stored in header.components().items()
        },
        "card": header.card,
    }


def describe_component(stored: "StoredComponent", folder: Path) -> dict[str, Any]:
    """Return the id, size, files and configuration of a component."""
    from math import prod

    from latelier.checkpoints.io.header import read_header

    tensors = read_header(stored.weights.within(folder)) if stored.weights else {}
    return {
        "id": stored.id,
        "version": stored.version,
        "parameters": sum(prod(tensor["shape"]) for tensor in tensors.values()),
        "dtypes": sorted({tensor["dtype"] for tensor in tensors.values()}),
        "bytes": count_bytes(stored.files(), folder),
        "files": [file.model_dump() for file in stored.files()],
        "config": stored.config,
    }


def count_bytes(files: "Iterable[StoredFile]", folder: Path) -> int:
    """Return the size of files together.

    Raises:
        ModelFileError: a file is missing.
    """
    from latelier.contracts.errors import ModelFileError

    try:
        return sum(file.within(folder).stat().st_size for file in files)
    except OSError as error:
        raise ModelFileError(f"{error.filename}: cannot be read: {error.strerror}") from None


def format_bytes(size: int) -> str:
    """Return a size in MiB."""
    return f"{size / 2**20:.1f} MiB"
