"""Files that are whole or not there: written beside and renamed into place."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole(path: Path) -> Iterator[Path]:
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


def rewrite(path: Path, data: bytes) -> None:
    """Write a file whole; where there is one a link to it is followed, and its mode kept.

    Raises:
        OSError: it cannot be written; `path` is then as it was.
    """
    path = path.resolve()
    with whole(path) as beside:
        beside.write_bytes(data)
        if path.exists():
            shutil.copymode(path, beside)
