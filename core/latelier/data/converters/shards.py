"""Tar shards of WebDataset on disk.

A shard is indexed once: a record has the place of its picture in the tar file, and is read from
there. So samples are found by number, in any order, and a training can be resumed exactly.
"""

import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError
from latelier.data.converters.rows import Row, add_rows
from latelier.data.converters.sample_files import (
    MAPS,
    TEXTS,
    find_picture,
    group_files,
    parse_values,
)
from latelier.data.manifest.manifest import Manifest, ManifestBuilder

_RANGE = re.compile(r"{(\d+)\.\.(\d+)}")

Place = tuple[int, int]
"""Offset and length of a file in its shard."""


def expand_shards(pattern: str) -> list[str]:
    """Return the names that a pattern such as 'train-{0000..0063}.tar' stands for."""
    found = _RANGE.search(pattern)
    if found is None:
        return [pattern]
    first, last = found.groups()
    numbers = (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
    return [
        name
        for number in numbers
        for name in expand_shards(pattern[: found.start()] + number + pattern[found.end() :])
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
    for key, files in group_files(_list_files(shard)):
        where = f"{shard}, sample '{key}'"
        suffix = find_picture(files)
        if suffix is None:
            builder.skip(f"{name}: {key}", f"no picture among its files: {', '.join(files)}")
            continue
        maps = {MAPS[each]: _range(name, files[each]) for each in MAPS if each in files}
        texts = {each: _read(shard, files[each]) for each in TEXTS if each in files}
        values = {**parse_values(texts, where), "id": f"{name}: {key}"}
        yield Row(values, _range(name, files[suffix]), where, maps)


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


def _read(shard: Path, place: Place) -> bytes:
    with shard.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def _range(shard: str, place: Place) -> dict[str, Any]:
    return {"shard": shard, "offset": place[0], "length": place[1]}
