"""Folders that a conversion may write: new ones, and with `force` those that hold a model."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from latelier.checkpoints.manifests import ADAPTER_FILE, COMPONENT_FILE
from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.io.atomic import atomic_folder
from latelier.pipeline.storage.manifest_header import MANIFEST

MODEL_FILES = (MANIFEST, COMPONENT_FILE, ADAPTER_FILE)
"""A folder that holds one of these is a model, a component or an adapter."""


def check_destination(
    folder: Path, *, force: bool, known: Collection[str] = MODEL_FILES, what: str = "model"
) -> None:
    """Check that a folder may be made, or replaced.

    Args:
        folder: the destination.
        force: whether an existing folder may be replaced.
        known: a folder is replaced only if it is empty or holds one of these files: a mistyped name
            must not cost somebody's pictures.
        what: describes the known files.

    Raises:
        InvalidInputError: the folder exists and may not be replaced, or cannot be made.
    """
    with report_write_errors(folder):
        if not folder.exists():
            _check_parents(folder)
            return
        if not folder.is_dir():
            raise InvalidInputError(f"{folder}: already exists, and is a file; name a folder")
        is_known = any((folder / name).is_file() for name in known) or not any(folder.iterdir())
    if not is_known:
        raise InvalidInputError(
            f"{folder}: already exists, and holds no {what} (no {' or '.join(known)}), which is "
            "all that --force replaces; name another folder"
        )
    if not force:
        raise InvalidInputError(f"{folder}: already exists; --force replaces it")


def check_source_outside(source: Path, folder: Path) -> None:
    """Check that replacing the destination does not remove what the conversion reads.

    Args:
        source: a file or folder that is read; it may be missing.
        folder: the destination.

    Raises:
        InvalidInputError: the source is the destination, or is inside it.
    """
    with report_write_errors(folder):
        real = Path(os.path.realpath(source))  # a loop of links is no error, unlike Path.resolve
        is_inside = real.exists() and real.is_relative_to(os.path.realpath(folder))
    if is_inside:
        raise InvalidInputError(
            f"{folder}: holds the source {source}, which --force would remove; name another folder"
        )


def _check_parents(folder: Path) -> None:
    nearest = next((parent for parent in folder.absolute().parents if parent.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise InvalidInputError(f"{folder}: cannot be written: '{nearest}' is a file")


@contextmanager
def write_folder(
    folder: Path, *, force: bool, known: Collection[str] = MODEL_FILES, what: str = "model"
) -> Iterator[Path]:
    """Yield an empty temporary folder; on success it becomes `folder`.

    The destination is checked again at the end, since another program may have made it meanwhile.

    Args:
        folder: the destination.
        force: see `check_destination`.
        known: see `check_destination`.
        what: see `check_destination`.

    Raises:
        InvalidInputError: see `check_destination`; or a file cannot be written. Nothing is left of
            the temporary folder.
    """
    check_destination(folder, force=force, known=known, what=what)
    with report_write_errors(folder), atomic_folder(folder, replace=force) as temporary:
        yield temporary
        check_destination(folder, force=force, known=known, what=what)


@contextmanager
def report_write_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system, such as a full disk, into an InvalidInputError about `path`."""
    try:
        yield
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be written: {_reason(error)}") from None


@contextmanager
def report_read_errors(path: Path | str) -> Iterator[None]:
    """Turn errors of the system, such as a lack of permission, into a ModelFileError."""
    try:
        yield
    except OSError as error:
        file = error.filename or path
        raise ModelFileError(f"{file}: cannot be read: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
