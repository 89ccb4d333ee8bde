"""Destinations of results. An existing file is replaced only on request."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.failures import explain_os_error
from latelier.contracts.errors import InvalidInputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from latelier.pipeline.picture import Picture

Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
"""The option --force of the commands that write files."""

SUFFIXES = (".png", ".jpg", ".jpeg")
"""File types that carry provenance."""

_MAX_SLUG = 40


def plan_destinations(
    output: str | Path | None, filename_text: str, seeds: Sequence[int], *, force: bool
) -> list[Path]:
    """Return the path of each picture.

    One picture without `output` is 'latelier-SEED.png'. Several pictures, and those in a folder,
    are named by the prompt and their seeds.

    Args:
        output: a .png or .jpg file, or a folder, which may end in a slash; None for the current
            folder.
        filename_text: what names several pictures: their prompt.
        seeds: one per picture.
        force: whether existing files may be replaced.

    Raises:
        InvalidInputError: one file for several pictures, a file of another type, or a file
            that already exists.
    """
    is_folder = str(output).endswith(("/", os.sep))  # a Path has lost its last slash
    output = None if output is None else Path(output)
    paths = _name_files(output, filename_text, seeds, is_folder)
    for path in paths:
        check_destination(path, force=force)
    return paths


def check_destination(path: Path, *, force: bool) -> None:
    """Check that a file can be created at a path.

    Raises:
        InvalidInputError: the path is a folder, already exists, or its parent is not a folder or
            takes no files.
    """
    if path.is_dir():
        raise InvalidInputError(f"{path}: is a folder")
    if path.exists() and not force:
        raise InvalidInputError(f"{path}: already exists; --force replaces it")
    try:
        nearest = next(parent for parent in path.absolute().parents if parent.exists())
    except (OSError, StopIteration):
        raise InvalidInputError(f"{path}: the current folder no longer exists") from None
    if not nearest.is_dir():
        raise InvalidInputError(f"{path}: cannot be written: '{nearest}' is not a folder")
    try:
        TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise unwritable(path, error) from None


def check_sheet(path: Path | None, pictures: Sequence[Path], *, force: bool) -> None:
    """Check the path of a contact sheet, if there is one, against those of the pictures.

    Raises:
        InvalidInputError: the file is of another type, cannot be created, or is one of the
            pictures.
    """
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInputError(f"--sheet: expected a .png or .jpg file, got '{path}'")
    if os.path.realpath(path) in map(os.path.realpath, pictures):
        raise InvalidInputError(f"--sheet: '{path}' is the file of a picture; name another one")
    check_destination(path, force=force)


def save_picture(picture: "Picture", path: Path, *, force: bool) -> None:
    """Write a picture with its provenance, as `save_image` does."""
    save_image(picture.image, path, picture.provenance, force=force)


def save_sheet(pictures: "Sequence[Picture]", path: Path, *, force: bool) -> None:
    """Write a contact sheet of pictures with their seeds, as `save_image` does."""
    from latelier.data.contact_sheet import draw_contact_sheet

    labels = [f"seed {picture.seed}" for picture in pictures]
    save_image(draw_contact_sheet([each.image for each in pictures], labels), path, force=force)


def save_image(
    image: "Image", path: Path, provenance: dict[str, Any] | None = None, *, force: bool
) -> None:
    """Write an image in the format of its suffix, as `save` does."""
    from latelier.provenance.image_files import write_image

    def write(path: Path, replace: bool) -> None:
        write_image(path, image, provenance, replace=replace)

    save(write, path, force=force)


def save(write: Callable[[Path, bool], object], path: Path, *, force: bool) -> None:
    """Write the result of a run to a path that was free when the run began.

    Args:
        write: writes a file atomically, given its path and whether it may replace another.
        path: of the file.
        force: whether an existing file may be replaced.

    Raises:
        InvalidInputError: the file cannot be written, or it exists and `force` is not set. In the
            second case the result is in a new file beside it, which the error names.
    """
    try:
        write(path, force)
    except FileExistsError:
        spare = _write_beside(write, path)
        raise InvalidInputError(
            f"{path}: was created during this run and is left as it is; the result is in '{spare}'"
        ) from None
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> InvalidInputError:
    """Return the error for a file that cannot be written."""
    reason = error.strerror or explain_os_error(error)
    return InvalidInputError(f"{path}: cannot be written: {reason}")


def _write_beside(write: Callable[[Path, bool], object], path: Path) -> Path:
    """Write to the first free of 'STEM-2.png', 'STEM-3.png' ... and return its path."""
    number = 2
    while True:
        spare = path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            write(spare, False)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise unwritable(spare, error) from None
        else:
            return spare


def _name_files(
    output: Path | None, filename_text: str, seeds: Sequence[int], is_folder: bool
) -> list[Path]:
    if output is None and len(seeds) == 1:
        return [Path(f"latelier-{seeds[0]}.png")]
    if output is None or is_folder or output.is_dir() or not output.suffix:
        return [(output or Path()) / f"{_slug(filename_text)}-{seed}.png" for seed in seeds]
    if output.suffix.lower() not in SUFFIXES:
        raise InvalidInputError(
            f"{output}: expected a .png or .jpg file such as '{output.with_suffix('.png')}', which "
            "can carry the provenance, or an existing folder"
        )
    if len(seeds) > 1:
        raise InvalidInputError(
            f"{output}: one file cannot hold {len(seeds)} pictures; name a folder"
        )
    return [output]


def _slug(filename_text: str) -> str:
    slug = re.sub(r"[\W_]+", "-", filename_text.lower()).strip("-")[:_MAX_SLUG]
    return slug.strip("-") or "latelier"
