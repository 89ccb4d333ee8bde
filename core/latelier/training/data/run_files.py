"""What a run keeps of its data: the manifests it was started with.

A resumed run reads them, so it goes on with the same samples although files were added meanwhile.
"""

from collections.abc import Sequence
from pathlib import Path

from latelier.data.manifest.manifest import (
    Manifest,
    read_manifest,
    read_root,
    write_manifest,
)
from latelier.training.checkpoints.checkpoint import FOLDER as CHECKPOINTS
from latelier.training.checkpoints.checkpoint import list_checkpoints

_FOLDER = "data"
_FILES = "source-*.jsonl"


def stored_manifests(out: Path) -> list[Path]:
    """Return the manifests of a run that has checkpoints, in the order of its sources."""
    if not list_checkpoints(out / CHECKPOINTS):
        return []
    return sorted((out / _FOLDER).glob(_FILES))


def read_stored_manifest(path: Path) -> Manifest:
    """Read a manifest that a run wrote. Its root may be anywhere: the run's owner named it.

    Raises:
        DataError: it cannot be read, or is damaged.
    """
    return read_manifest(path, read_root(path))


def store_manifests(out: Path, manifests: Sequence[Manifest]) -> None:
    """Write the manifests of a new run; those of a run that is resumed stay.

    Raises:
        OSError: they cannot be written.
    """
    if stored_manifests(out):
        return
    for path in (out / _FOLDER).glob(_FILES):  # of a run that was stopped before a checkpoint
        path.unlink()
    for number, manifest in enumerate(manifests):
        write_manifest(manifest, out / _FOLDER / f"source-{number:03d}.jsonl")
