"""The zip container of torch checkpoints: its pickle, and its storages mapped from disk."""

import mmap
import zipfile
from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor

from latelier.contracts.errors import ModelFileError

MAX_PICKLE_BYTES = 64 * 2**20
"""Bytes of the pickle itself. The numbers are in entries of their own."""

_MAX_ENTRIES = 200_000
_LOCAL_HEADER_BYTES = 30


class Archive:
    """A checkpoint `NAME/data.pkl`, `NAME/data/KEY` ... as torch has written it since 1.6.

    torch does not compress its entries. A compressed one is refused: it could grow without bound.

    Raises:
        ModelFileError: the archive is damaged, or not as torch writes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._length = path.stat().st_size
        try:
            with zipfile.ZipFile(path) as file:
                entries = file.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ModelFileError(f"{path}: damaged, or cut short: {error}") from None
        self._entries = {entry.filename: entry for entry in entries}
        pickles = [name for name in self._entries if name.endswith("/data.pkl")]
        is_script = any(name.endswith("/constants.pkl") for name in self._entries)
        if len(pickles) != 1 or is_script:
            raise ModelFileError(f"{path}: is not a PyTorch checkpoint: {_explain(self._entries)}")
        self._check(entries)
        self._root = pickles[0].removesuffix("data.pkl")
        with path.open("rb") as opened:
            self._bytes = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
        order = f"{self._root}byteorder"
        if order in self._entries and self._raw(order) != b"little":
            raise ModelFileError(f"{path}: was written by a machine of another byte order")

    def pickle(self) -> bytes:
        """Return the pickle.

        Raises:
            ModelFileError: it is larger than the pickle of any model.
        """
        name = f"{self._root}data.pkl"
        if self._entries[name].file_size > MAX_PICKLE_BYTES:
            raise ModelFileError(f"{self._path}: its pickle is larger than that of any model")
        return self._raw(name)

    def storage(self, key: str, dtype: torch.dtype, count: int) -> Tensor:
        """Return the numbers (count,) of a storage, mapped from disk.

        Raises:
            ModelFileError: the storage is missing, or has another length.
        """
        entry = self._entries.get(f"{self._root}data/{key}")
        if entry is None or entry.file_size != count * dtype.itemsize:
            raise ModelFileError(f"{self._path}: storage '{key}' is missing or cut short")
        if count == 0:
            return torch.empty(0, dtype=dtype)
        start = self._start(entry)
        return torch.frombuffer(self._bytes, dtype=dtype, count=count, offset=start)

    def _raw(self, name: str) -> bytes:
        entry = self._entries[name]
        start = self._start(entry)
        return self._bytes[start : start + entry.file_size]

    def _start(self, entry: zipfile.ZipInfo) -> int:
        """Return the offset of an entry's data, which follows a header of varying length."""
        header = self._bytes[entry.header_offset : entry.header_offset + _LOCAL_HEADER_BYTES]
        name, extra = header[26:28], header[28:30]
        start = entry.header_offset + _LOCAL_HEADER_BYTES
        start += int.from_bytes(name, "little") + int.from_bytes(extra, "little")
        if not header.startswith(b"PK\x03\x04") or start + entry.file_size > self._length:
            raise ModelFileError(f"{self._path}: damaged: '{entry.filename}' is not at its offset")
        return start

    def _check(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > _MAX_ENTRIES:
            raise ModelFileError(f"{self._path}: {len(entries)} entries are more than any model's")
        if len({entry.filename for entry in entries}) != len(entries):
            raise ModelFileError(f"{self._path}: two of its entries have one name")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise ModelFileError(
                    f"{self._path}: '{entry.filename}' is compressed or encrypted, which torch "
                    "does not do"
                )
        if sum(entry.file_size for entry in entries) > self._length:
            raise ModelFileError(f"{self._path}: its entries are larger than the file")


def _explain(names: Collection[str]) -> str:
    """Return what a zip archive is that holds not exactly one data.pkl."""
    if any(name.endswith("/constants.pkl") for name in names):
        return "it is a TorchScript program; import safetensors or a checkpoint"
    if any(name.endswith(".npy") for name in names):
        return "it is a NumPy archive"
    count = sum(name.endswith("/data.pkl") for name in names)
    return f"it holds {count} data.pkl; if it is a zip archive of a model, unpack it"
