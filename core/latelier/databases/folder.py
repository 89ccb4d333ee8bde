"""A database of the pictures in a folder.

The name of a file, its dashes and underscores read as spaces, is that of its entry: `red-apple.png`
is a "red apple". `words.json` may add words:

    {"red apple": {"synonyms": ["apple"], "tags": ["fruit", "red"], "group": "food"}}
"""

import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image
from pydantic import RootModel, ValidationError

from latelier.contracts.databases import Entry
from latelier.contracts.errors import DataError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.reading import explain_unreadable
from latelier.contracts.images.references import read_reference
from latelier.databases.picture_database import PictureDatabase

if TYPE_CHECKING:
    from PIL.Image import Image

WORDS_FILE = "words.json"

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".gif", ".bmp")

_log = logging.getLogger(__name__)


class _Words(Frozen):
    """Further words of an entry."""

    synonyms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group: str | None = None


class FolderDatabase(PictureDatabase):
    """The pictures of a folder. A damaged one is named in a warning, and left out.

    Attributes:
        files: the file of each entry.
        damaged: what is wrong with each picture that was left out.

    Raises:
        DataError: the folder does not exist or has no picture, two files give the same name, or
            `words.json` is damaged or names an entry that has no file.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"{folder}: folder not found")
        pictures = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
        faults = {path: _find_fault(path) for path in pictures}
        self.files = tuple(path for path in pictures if faults[path] is None)
        self.damaged = tuple(
            f"{path}: left out of the database: {fault}" for path, fault in faults.items() if fault
        )
        for each in self.damaged:
            _log.warning("%s", each)
        if not self.files:
            raise DataError(f"{folder}: expected pictures ({', '.join(SUFFIXES)}), found none")
        names = [re.sub(r"[-_\s]+", " ", path.stem).strip() for path in self.files]
        words = _read_words(folder / WORDS_FILE, names)
        try:
            super().__init__(
                [Entry(name, **vars(words.get(name, _Words()))) for name in names], self._open
            )
        except DataError as error:
            raise DataError(f"{folder}: {error}") from None

    def _open(self, number: int) -> "Image":
        path = self.files[number]
        try:
            return read_reference(path)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from None


def _find_fault(path: Path) -> str | None:
    """Return why a file is no whole picture, or None; most pixels are read only when needed."""
    try:
        with PIL.Image.open(path) as image:
            image.verify()
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise errors of every class
        return explain_unreadable(error)
    return None


def _read_words(path: Path, names: list[str]) -> dict[str, _Words]:
    """Return the words of a file by name; none if there is no file."""
    if not path.is_file():
        return {}
    try:
        words = RootModel[dict[str, _Words]].model_validate(json.loads(path.read_bytes())).root
    except (ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        expected = '{"NAME": {"synonyms": [...], "tags": [...], "group": "..."}}'
        raise DataError(f"{path}: expected {expected}: {reason}") from None
    unknown = next((name for name in words if name not in names), None)
    if unknown is not None:
        raise DataError(f"{path}: no picture has the name '{unknown}'")
    return words
