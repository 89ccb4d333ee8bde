"""Safetensors copies of pickles, made in a subprocess under limits."""

import json
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from latelier.checkpoints.pickles.worker import REFUSED
from latelier.contracts.errors import ModelFileError
from latelier.io.user_folders import cache_folder

CACHE = "converted"
"""The folder of the user's caches that holds the copies while they are needed."""

WORKER_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from latelier.checkpoints.pickles.worker import main
main(*sys.argv[2:])
"""


def time_limit(length: int) -> float:
    """Return the seconds that reading a file of `length` bytes may take, disk waits included."""
    return 300 + length / (2 * 2**20)


def convert_in_subprocess(path: Path, destination: Path) -> None:
    """Write the weights of a pickle to a safetensors file; see `worker`.

    Raises:
        ModelFileError: the pickle is damaged or hostile, or takes more memory or time than its size
            explains.
    """
    command = [sys.executable, "-I", "-c", WORKER_PROGRAM, json.dumps(sys.path)]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, str(path.resolve()), str(destination.resolve())],
            capture_output=True,
            text=True,
            timeout=time_limit(path.stat().st_size),
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ModelFileError(
            f"{path}: takes longer to read than a file of its size should"
        ) from None
    last_line = done.stderr.strip().rpartition("\n")[2]
    if done.returncode == REFUSED:
        raise ModelFileError(last_line)
    if done.returncode != 0 or not destination.is_file():
        reason = last_line[:300] or f"status {done.returncode}"
        raise ModelFileError(f"{path}: cannot be read within limits of memory and time: {reason}")


class ConvertedCopies:
    """The copies that one import needs. Each pickle is converted once.

    They are removed by `remove`, or at the latest with this object. Tensors that are mapped from
    them stay valid.
    """

    def __init__(self, convert: Callable[[Path, Path], None] | None = None) -> None:
        self._convert = convert or convert_in_subprocess
        self._copies: dict[Path, Path] = {}
        self._folder: Path | None = None

    def find_or_make(self, path: Path) -> Path:
        """Return the safetensors copy of a pickle.

        Raises:
            ModelFileError: see `convert_in_subprocess`; or the copy cannot be written.
        """
        key = path.resolve()
        if key not in self._copies:
            copy = self._make_folder() / f"{len(self._copies)}.safetensors"
            self._convert(path, copy)
            self._copies[key] = copy
        return self._copies[key]

    def remove(self) -> None:
        """Delete the copies from the disk."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        self._copies.clear()

    def _make_folder(self) -> Path:
        if self._folder is None:
            parent = cache_folder(CACHE)
            try:
                self._folder = Path(mkdtemp(dir=parent))
            except OSError as error:
                raise ModelFileError(f"{parent}: cannot be written: {error.strerror}") from None
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder
