"""Samples of WebDataset: files of one name in a tar file, such as 0001.jpg and 0001.txt.

jpg, jpeg, png, webp, ...   the picture
txt, caption                a caption
cls                         number of the class
json                        columns of `rows`: caption, label, objects ...
semantic_map.png, mask.png  map and mask
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from latelier.contracts.errors import DataError
from latelier.data.converters.rows import CAPTION_COLUMNS, CLASS_COLUMNS

PICTURES = frozenset({"avif", "bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"})
"""Suffixes of pictures."""

MAPS = {"semantic_map.png": "semantic_map", "mask.png": "mask"}
"""Field of a record by the suffix of its file."""

_CAPTIONS = ("txt", "caption", "text")
_COLUMNS = (*CAPTION_COLUMNS, *CLASS_COLUMNS, "objects", "weight")

TEXTS = ("json", "cls", *_CAPTIONS)
"""Suffixes of files with columns."""

T = TypeVar("T")


def group_files(files: Iterable[tuple[str, T]]) -> Iterator[tuple[str, dict[str, T]]]:
    """Yield the key of each sample, and its files by suffix, from files in the order of a shard."""
    key, group = "", dict[str, T]()
    for path, content in files:
        found, suffix = split_name(path)
        if not suffix:
            continue
        if found != key and group:
            yield key, group
            group = {}
        key = found
        group[suffix] = content
    if group:
        yield key, group


def split_name(path: str) -> tuple[str, str]:
    """Return the key and the suffix of a file; no suffix if it belongs to no sample."""
    folder, _, base = path.rpartition("/")
    stem, _, suffix = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), (suffix if stem else "")


def find_picture(suffixes: Iterable[str]) -> str | None:
    """Return the first suffix that is a picture's."""
    return next((suffix for suffix in suffixes if suffix.lower() in PICTURES), None)


def parse_values(files: Mapping[str, bytes], where: str) -> dict[str, Any]:
    """Return the columns of a sample from its files of `TEXTS`; `where` is for errors.

    Raises:
        DataError: a file is not valid.
    """
    values: dict[str, Any] = {}
    if "json" in files:
        try:
            stored = json.loads(files["json"])
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: invalid JSON ({error})") from None
        if isinstance(stored, dict):
            values = {name: stored[name] for name in _COLUMNS if stored.get(name) is not None}
    captions = [_decode(files[each], where) for each in _CAPTIONS if each in files]
    if captions:
        values["captions"] = captions
    if "cls" in files:
        values["class_label"] = _decode(files["cls"], where)
    return values


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeError as error:
        raise DataError(f"{where}: expected UTF-8 text ({error})") from None
