"""Where pictures are written. Nothing that is there is overwritten unasked."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latelier.contracts.errors import InvalidInputError

if TYPE_CHECKING:
    from latelier.pipeline.picture import Picture


_LONGEST_SLUG = 40


def destinations(
    output: Path | None, words: str, seeds: Sequence[int], *, force: bool
) -> list[Path]:
    """Return the path of each picture.

    One picture without `output` is 'latelier-SEED.png'. Several, or those in a folder, are named
    by the prompt and their seeds.

    Args:
        output: a file that ends in .png, or a folder; None for the current one.
        words: what the pictures show.
        seeds: one for each picture.
        force: whether files may be replaced.

    Raises:
        InvalidInputError: one file for several pictures, a file that is not a PNG, or one that
            is there already.
    """
    paths = _paths(output, words, seeds)
    for path in paths:
        if path.is_dir():
            raise InvalidInputError(f"{path}: is a folder")
        if path.exists() and not force:
            raise InvalidInputError(f"{path}: is there already; --force replaces it")
        _check_parents(path)
    return paths


def save(pictures: "Sequence[Picture]", paths: Sequence[Path]) -> None:
    """Write each picture to its path, whole or not at all.

    Raises:
        InvalidInputError: a file cannot be written.
    """
    for picture, path in zip(pictures, paths):
        try:
            picture.save(path)
        except OSError as error:
            reason = error.strerror or error
            raise InvalidInputError(f"{path}: cannot be written: {reason}") from None


def _paths(output: Path | None, words: str, seeds: Sequence[int]) -> list[Path]:
    if output is None and len(seeds) == 1:
        return [Path(f"latelier-{seeds[0]}.png")]
    if output is None or _is_folder(output):
        return [(output or Path()) / f"{_slug(words)}-{seed}.png" for seed in seeds]
    if output.suffix.lower() != ".png":
        raise InvalidInputError(
            f"{output}: pictures are written as PNG, which carries how they were made: "
            f"'{output.with_suffix('.png')}', or an existing folder, would do"
        )
    if len(seeds) > 1:
        raise InvalidInputError(
            f"{output}: one file cannot hold {len(seeds)} pictures; name a folder"
        )
    return [output]


def _is_folder(path: Path) -> bool:
    return path.is_dir() or not path.suffix


def _check_parents(path: Path) -> None:
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir():
        raise InvalidInputError(f"{path}: cannot be written: '{nearest}' is not a folder")


def _slug(words: str) -> str:
    slug = re.sub(r"[\W_]+", "-", words.lower()).strip("-")[:_LONGEST_SLUG]
    return slug.strip("-") or "latelier"
