"""Files of lines that grow, such as logs."""

import errno
import os
from pathlib import Path


def append_line(path: Path, line: str) -> None:
    """Append a line in one write, so that lines of several processes do not mix.

    Half a line at the end, which a killed process or a full disk has left, stays apart from it.

    Raises:
        OSError: the line cannot be written, or only a part of it.
    """
    with path.open("a+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
        is_cut_short = file.read(1) not in (b"", b"\n")
        data = ("\n" * is_cut_short + line + "\n").encode()
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
