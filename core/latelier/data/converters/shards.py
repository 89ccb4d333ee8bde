"""Tar shards of WebDataset: each sample is some files of one name, such as 0001.jpg and 0001.txt.

A shard is indexed once: a record has the place of its picture in the tar file, and is read from
there. So samples are found by number, in any order, and a training can be resumed exactly.

    jpg, jpeg, png, webp, ...   the picture
    txt, caption                a caption
    cls                         number of the class
    json                        columns of `rows`: caption, label, objects ...
    semantic_map.png, mask.png  map and mask
"""

import json
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError
from latelier.data.converters.rows import CAPTION_COLUMNS, CLASS_COLUMNS, Row, add_rows
from latelier.data.manifest.manifest import Manifest, ManifestBuilder

_PICTURES = frozenset({"avif", "bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"})
_MAPS = {"semantic_map.png": "semantic_map", "mask.png": "mask"}
_CAPTIONS = ("txt", "caption", "text")
_RANGE = re.compile(r"{(\d+)\.\.(\d+)}")
_COLUMNS = (*CAPTION_COLUMNS, *CLASS_COLUMNS, "objects", "weight")

Place = tuple[int, int]
"""Offset and length of a file in its shard."""


def expand_shards(pattern: str) -> list[Path]:
    """Return the paths that a pattern such as 'train-{0000..0063}.tar' stands for."""
    found = _RANGE.search(pattern)
    if found is None:
        return [Path(pattern)]
    first, last = found.groups()
    numbers = (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
    return [
        path
        for number in numbers
        for path in expand_shards(pattern[: found.start()] + number + pattern[found.end() :])
    ]


def convert_shards(origin: str, shards: Sequence[Path]) -> Manifest:
    """Return the manifest of the pictures in uncompressed tar files.

    Args:
        origin: what the shards are called in messages.
        shards: paths of the tar files.

    Raises:
        DataError: a shard is missing, compressed or damaged, or no picture is in them.
    """
    if not shards:
        raise DataError(f"{origin}: no shards found")
    root = Path(os.path.commonpath([path.absolute().parent for path in shards]))
    builder = ManifestBuilder(origin, root)
    rows = [row for shard in shards for row in _read_shard(builder, shard, root)]
    return builder.build(add_rows(builder, root, rows))


def _read_shard(builder: ManifestBuilder, shard: Path, root: Path) -> Iterator[Row]:
    name = shard.absolute().relative_to(root).as_posix()
    for key, files in _group_files(shard):
        where = f"{shard}, sample '{key}'"
        suffix = next((suffix for suffix in files if suffix.lower() in _PICTURES), None)
        if suffix is None:
            builder.skip(f"{name}: {key}", f"no picture among its files: {', '.join(files)}")
            continue
        maps = {_MAPS[each]: _range(name, files[each]) for each in _MAPS if each in files}
        values = {**_read_values(shard, files, where), "id": f"{name}: {key}"}
        yield Row(values, _range(name, files[suffix]), where, maps)


def _group_files(shard: Path) -> Iterator[tuple[str, dict[str, Place]]]:
    """Yield the key of each sample, and its files by suffix."""
    key, files = "", dict[str, Place]()
    for path, place in _list_files(shard):
        folder, _, base = path.rpartition("/")
        stem, _, suffix = base.partition(".")
        if stem == "" or suffix == "":
            continue
        found = f"{folder}/{stem}" if folder else stem
        if found != key and files:
            yield key, files
            files = {}
        key = found
        files[suffix] = place
    if files:
        yield key, files


def _list_files(shard: Path) -> Iterator[tuple[str, Place]]:
    """Yield the name and the place of each file of a shard.

    Raises:
        DataError: the shard is missing, compressed or damaged.
    """
    try:
        size = shard.stat().st_size
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if not member.isreg() or member.issparse():
                    continue
                if member.offset_data + member.size > size:
                    raise DataError(f"{shard}: ends within '{member.name}'; copy it again")
                yield member.name, (member.offset_data, member.size)
    except (OSError, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{shard}: expected an uncompressed tar file ({reason}); unpack a compressed one"
        ) from None


def _read_values(shard: Path, files: dict[str, Place], where: str) -> dict[str, Any]:
    """Return the columns of a sample, from its small files."""
    values: dict[str, Any] = {}
    if "json" in files:
        try:
            stored = json.loads(_read(shard, files["json"]))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: invalid JSON ({error})") from None
        if isinstance(stored, dict):
            values = {name: stored[name] for name in _COLUMNS if stored.get(name) is not None}
    captions = [_read_text(shard, files[each], where) for each in _CAPTIONS if each in files]
    if captions:
        values["captions"] = captions
    if "cls" in files:
        values["class_label"] = _read_text(shard, files["cls"], where)
    return values


def _read_text(shard: Path, place: Place, where: str) -> str:
    try:
        return _read(shard, place).decode("utf-8-sig").strip()
    except UnicodeError as error:
        raise DataError(f"{where}: expected UTF-8 text ({error})") from None


def _read(shard: Path, place: Place) -> bytes:
    with shard.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def _range(shard: str, place: Place) -> dict[str, Any]:
    return {"shard": shard, "offset": place[0], "length": place[1]}
