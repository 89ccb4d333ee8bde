"""Shards: the pictures of a chunk in one file, as WebDataset or Parquet has them."""

import io
import json
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from latelier.io.atomic import atomic_file
from latelier.pipeline.picture import Picture

from latelier_ray.batch.requests import PictureRequest


class ShardWriter(ABC):
    """Writes the pictures of a chunk, one after the other."""

    @abstractmethod
    def add(self, request: PictureRequest, picture: Picture) -> None:
        """Write the picture of a row.

        Raises:
            OSError: it cannot be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """Complete the file."""


class WebDatasetWriter(ShardWriter):
    """A tar with ID.png and ID.json. Equal pictures make equal bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w")

    def add(self, request: PictureRequest, picture: Picture) -> None:
        """Write two members; see `ShardWriter.add`."""
        self._add(f"{request.id}.png", picture.to_bytes("png"))
        text = json.dumps(_describe(request, picture), ensure_ascii=False)
        self._add(f"{request.id}.json", text.encode())

    def finish(self) -> None:
        """Write the end of the tar."""
        self._tar.close()

    def _add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))


class ParquetWriter(ShardWriter):
    """A table with the columns of `_describe` and png, the bytes of the file."""

    _GROUP = 64
    """Pictures that are in memory before they are written."""

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._schema = pa.schema(
            {
                "id": pa.string(),
                "seed": pa.int64(),
                "width": pa.int32(),
                "height": pa.int32(),
                "inputs": pa.string(),
                "png": pa.binary(),
            }
        )
        self._writer = parquet.ParquetWriter(file, self._schema, compression="none")
        self._rows: list[dict[str, Any]] = []

    def add(self, request: PictureRequest, picture: Picture) -> None:
        """Write a row; see `ShardWriter.add`."""
        values = _describe(request, picture)
        inputs = json.dumps(values["inputs"], ensure_ascii=False)
        self._rows.append({**values, "inputs": inputs, "png": picture.to_bytes("png")})
        if len(self._rows) == self._GROUP:
            self._flush()

    def finish(self) -> None:
        """Write the rest and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
            self._rows = []


_WRITERS = {".tar": WebDatasetWriter, ".parquet": ParquetWriter}


@contextmanager
def write_shard(path: Path) -> Iterator[ShardWriter]:
    """Yield a writer; on success its file becomes `path` in one step.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    try:
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            writer = _WRITERS[path.suffix](file)
            yield writer
            writer.finish()
    except OSError as error:
        if error.filename is None:  # one of writing does not know its file
            error.filename = str(path)
        raise


def _describe(request: PictureRequest, picture: Picture) -> Mapping[str, Any]:
    return {
        "id": request.id,
        "seed": picture.seed,
        "width": picture.image.width,
        "height": picture.image.height,
        "inputs": request.request["inputs"],
    }
