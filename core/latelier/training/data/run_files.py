"""What a run keeps of its data: the manifests it was started with.

A resumed run reads them, so it goes on with the same samples although files were added meanwhile.
"""

from collections.abc import Sequence
from pathlib import Path

from latelier.data.manifest.manifest import Manifest, write_manifest

_FOLDER = "data"


def stored_manifests(out: Path) -> list[Path]:
    """Return the manifests of a run that has checkpoints, in the order of its sources."""
    if not any((out / "checkpoints").glob("*")):
        return []
    return sorted((out / _FOLDER).glob("source-*.jsonl"))


def store_manifests(out: Path, manifests: Sequence[Manifest]) -> None:
    """Write the manifests of a new run; those of a run that is resumed stay.

    Raises:
        OSError: they cannot be written.
    """
    if stored_manifests(out):
        return
    for number, manifest in enumerate(manifests):
        write_manifest(manifest, out / _FOLDER / f"source-{number:03d}.jsonl")
