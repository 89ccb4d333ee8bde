"""Writing a text file whole or not at all."""

import shutil
from pathlib import Path
from uuid import uuid4


def write_text(path: Path, text: str) -> None:
    """Write a file beside `path` and rename it into place; a link is followed, its mode kept.

    Raises:
        OSError: it cannot be written; `path` is then as it was.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
