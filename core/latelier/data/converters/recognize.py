"""Recognition of the form of a data set."""

from pathlib import Path

from latelier.contracts.errors import DataError
from latelier.data.converters.folder import convert_folder
from latelier.data.manifest.manifest import Manifest, read_manifest

MANIFEST_FILES = ("manifest.jsonl", "manifest.parquet")
"""Files that stand for the folder they are in."""


def open_manifest(path: Path) -> Manifest:
    """Return the manifest of a data set of any form.

    Raises:
        DataError: it does not exist, has an unknown form, or is empty or damaged.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise DataError(f"{path}: not found; expected a data set: a folder, or a manifest")
    return _open_file(path)


def _open_folder(folder: Path) -> Manifest:
    for name in MANIFEST_FILES:
        if (folder / name).is_file():
            return _open_file(folder / name)
    return convert_folder(folder)


def _open_file(path: Path) -> Manifest:
    if path.name in ("metadata.jsonl", "metadata.csv"):
        return convert_folder(path.parent)
    if path.suffix == ".jsonl":
        return read_manifest(path)
    raise DataError(f"{path}: expected a manifest (.jsonl), got a file of another kind")
