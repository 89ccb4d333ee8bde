"""The gallery: a folder of PNG files, one for each picture, below a folder for each owner.

A picture's file has everything that is known of it; a star is an empty file beside it. Files are
written atomically, so a gallery is whole whenever the process ends.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latelier.io.atomic import remove_leftovers, write_bytes
from latelier.provenance.image_files import provenance_of
from PIL import Image

from latelier_server.errors import not_found

_log = logging.getLogger(__name__)

MAX_PAGE = 200
"""Most pictures of a page."""


@dataclass(frozen=True)
class GalleryEntry:
    """A picture of a gallery.

    Attributes:
        id: begins with its time, so ids are in the order of the pictures.
        created: seconds since 1970.
        model: that made it.
        request: as `Pipeline.stream_json` takes it; pictures in it are left out.
        seed: of this picture.
        size: (width, height) in pixels.
        drew: its references, as the provenance has them.
        starred: whether its owner has marked it.
    """

    id: str
    created: float
    model: str
    request: dict[str, Any]
    seed: int
    size: tuple[int, int]
    drew: list[dict[str, Any]]
    starred: bool = False

    @property
    def text(self) -> str:
        """What a search looks at, in lower case."""
        return " ".join([self.model, str(self.seed), *_texts(self.request)]).lower()


class Gallery:
    """The pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[str, dict[str, GalleryEntry]] = {}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, owner: str, data: bytes, model: str, provenance: Mapping[str, Any]) -> str:
        """Keep a PNG, and return its id."""
        created = time.time()
        id_ = f"{int(created * 1000):013d}-{secrets.token_hex(4)}"
        entries = self._of(owner)
        write_bytes(self._path(owner, id_), data)
        with self._lock:
            entries[id_] = _describe(id_, model, provenance, starred=False)
        return id_

    def list_entries(
        self, owner: str, *, search: str = "", starred: bool = False, before: str = "", most: int
    ) -> list[GalleryEntry]:
        """Return pictures, the newest first.

        Args:
            owner: of the pictures.
            search: words that all have to be in the request, the model or the seed.
            starred: whether to return marked ones only.
            before: an id; only older pictures are returned.
            most: number of pictures.
        """
        words = search.lower().split()
        entries = self._of(owner)
        with self._lock:
            ordered = sorted(entries.values(), key=lambda entry: entry.id, reverse=True)
        found = (
            entry
            for entry in ordered
            if (not before or entry.id < before)
            and (entry.starred or not starred)
            and all(word in entry.text for word in words)
        )
        return [entry for entry, _ in zip(found, range(min(most, MAX_PAGE)))]

    def get(self, owner: str, id_: str) -> GalleryEntry:
        """Return a picture's entry.

        Raises:
            ServerError: the owner has no such picture.
        """
        entry = self._of(owner).get(id_)
        if entry is None:
            raise not_found("picture")
        return entry

    def read(self, owner: str, id_: str) -> bytes:
        """Return the bytes of a picture's file."""
        self.get(owner, id_)
        try:
            return self._path(owner, id_).read_bytes()
        except OSError:
            raise not_found("picture") from None

    def star(self, owner: str, id_: str, starred: bool) -> GalleryEntry:
        """Mark a picture, or remove its mark, and return its entry."""
        mark = self._path(owner, id_).with_suffix(".star")
        entries = self._of(owner)
        with self._lock:  # or a picture that is deleted meanwhile would come back
            if id_ not in entries:
                raise not_found("picture")
            if starred:
                mark.touch()
            else:
                mark.unlink(missing_ok=True)
            entries[id_] = replace(entries[id_], starred=starred)
            return entries[id_]

    def delete(self, owner: str, id_: str) -> None:
        """Delete a picture."""
        path = self._path(owner, id_)
        entries = self._of(owner)
        with self._lock:
            if entries.pop(id_, None) is None:
                raise not_found("picture")
            path.unlink(missing_ok=True)
            path.with_suffix(".star").unlink(missing_ok=True)

    def _of(self, owner: str) -> dict[str, GalleryEntry]:
        """Return the entries of an owner, read from the disk at the first call."""
        with self._lock:
            if owner not in self._entries:
                folder = self._folder / owner
                folder.mkdir(exist_ok=True)
                remove_leftovers(folder)
                self._entries[owner] = {each.id: each for each in _read_folder(folder)}
            return self._entries[owner]

    def _path(self, owner: str, id_: str) -> Path:
        return self._folder / owner / f"{id_}.png"


def _read_folder(folder: Path) -> Iterator[GalleryEntry]:
    """Yield the pictures of a folder; files that are none of ours are left alone."""
    for path in sorted(folder.glob("*.png")):
        try:
            with Image.open(path, formats=["PNG"]) as image:  # its pixels are not decoded
                provenance = provenance_of(image, str(path))
            name = str(provenance["model"]["name"])
            model = Path(name).name if Path(name).is_absolute() else name
            starred = path.with_suffix(".star").exists()
            yield _describe(path.stem, model, provenance, starred=starred)
        except (OSError, SyntaxError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s is not in the gallery: %s", path, type(error).__name__)


def _describe(
    id_: str, model: str, provenance: Mapping[str, Any], *, starred: bool
) -> GalleryEntry:
    request = _without_pictures(dict(provenance["request"]))
    width, height = request["size"]
    created = int(id_.partition("-")[0]) / 1000
    drew = list(provenance.get("drew", []))
    return GalleryEntry(
        id_, created, model, request, int(provenance["seed"]), (width, height), drew, starred
    )


def _without_pictures(value: Any) -> Any:
    """Return JSON values without those of pictures, which are long, and without None."""
    if isinstance(value, dict):
        kept = {key: _without_pictures(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None}
    if isinstance(value, list):
        return [_without_pictures(each) for each in value]
    return None if isinstance(value, str) and value.startswith("data:image/") else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
