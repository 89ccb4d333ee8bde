"""Atomic writes: a temporary file or folder, renamed into place."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; on success it takes the place of `path`.

    On failure, or an interrupt, it is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    former = path.with_name(f".{path.name}.{uuid4().hex}.former")
    beside.mkdir()
    try:
        yield beside
        if path.exists():
            path.rename(former)
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if former.exists() and not path.exists():
            former.rename(path)
        if former.is_dir():
            shutil.rmtree(former, ignore_errors=True)
        else:
            former.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> str:
    """Write a file atomically; return its SHA-256."""
    with atomic_file(path) as beside:
        beside.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def write_json(path: Path, value: Any) -> str:
    """Write `value` as indented JSON, atomically; return its SHA-256."""
    return write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes the place of `path`.

    On failure, or an interrupt, it is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def atomic_overwrite(path: Path, data: bytes) -> None:
    """Write a file atomically; where there is one a link to it is followed, and its mode kept.

    Raises:
        OSError: it cannot be written; `path` is then as it was.
    """
    path = path.resolve()
    with atomic_file(path) as beside:
        beside.write_bytes(data)
        if path.exists():
            shutil.copymode(path, beside)
