"""Which folders may be written: new ones, and with `force` those that hold what is made there."""

from collections.abc import Collection
from pathlib import Path

from latelier.checkpoints.manifests import ADAPTER_FILE, COMPONENT_FILE
from latelier.contracts.errors import InvalidInputError
from latelier.pipeline.storage.manifest_header import MANIFEST

MODEL_FILES = (MANIFEST, COMPONENT_FILE, ADAPTER_FILE)
"""A folder that holds one of these is a model, a component or an adapter of ours."""


def check_destination(
    folder: Path, *, force: bool, known: Collection[str] = MODEL_FILES, what: str = "model"
) -> None:
    """Check that a folder may be made, or replaced.

    Args:
        folder: where it is to be.
        force: whether one that is there may be replaced.
        known: files of which one at least must be in a folder that is replaced, or it be empty: a
            slip of the keyboard must not cost somebody's pictures.
        what: they are the files of.

    Raises:
        InvalidInputError: it may not; says why.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InvalidInputError(f"{folder}: is there already, and is a file; name a folder")
    if any(folder.iterdir()) and not any((folder / name).is_file() for name in known):
        raise InvalidInputError(
            f"{folder}: is there already, and holds no {what} (no {' or '.join(known)}), which is "
            "all that --force replaces; name another folder"
        )
    if not force:
        raise InvalidInputError(f"{folder}: is there already; --force replaces it")
