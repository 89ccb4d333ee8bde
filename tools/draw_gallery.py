"""Make the pictures of docs/gallery.md again, by the blocks of the page itself.

    python tools/draw_gallery.py

The blocks run in their order in a folder of their own: Python in one namespace, and each line of a
console block as a command. The pictures that the page shows are then copied to docs/images/gallery.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "gallery.md"
PICTURES = DOCS / "images" / "gallery"

_BLOCK = re.compile(r"```(python|console)\n(.*?)```", re.DOTALL)
_PICTURE = re.compile(r"!\[[^\]]*\]\(images/gallery/([^)]+)\)")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gallery-") as folder:
        draw(Path(folder))
        PICTURES.mkdir(parents=True, exist_ok=True)
        for name in list_pictures():
            shutil.copyfile(Path(folder) / name, PICTURES / name)


def list_pictures() -> list[str]:
    """Return the names of the pictures that the page shows."""
    return _PICTURE.findall(PAGE.read_text(encoding="utf-8"))


def draw(folder: Path, options: Sequence[str] = ()) -> None:
    """Run the blocks of the page in a folder.

    Args:
        folder: for the files that they write.
        options: that are added to each command, such as "--steps=1".

    Raises:
        CalledProcessError: a command has failed.
    """
    names: dict[str, Any] = {}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for language, block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            if language == "python":
                exec(block, names)
                continue
            for line in block.splitlines():
                print(line, flush=True)
                program, *arguments = shlex.split(line)
                assert program == "latelier"
                command = [sys.executable, "-m", "latelier", *arguments, *options]
                subprocess.run(command, check=True)
    finally:
        os.chdir(before)


if __name__ == "__main__":
    main()
