"""Turning a pickle into safetensors, once, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from latelier.checkpoints.pickles.worker import REFUSED
from latelier.contracts.errors import ModelFileError
from latelier.io.hashing import sha256_of
from latelier.io.user_folders import cache_folder

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from latelier.checkpoints.pickles.worker import main
main(*sys.argv[2:])
"""


def convert_pickle(path: Path) -> Path:
    """Return the safetensors file of a pickle's weights, made now or found in the cache.

    The pickle is never unpickle freely, nor in this process. See `worker`.

    Raises:
        ModelFileError: it is damaged or hostile, or takes more memory or time than its size
            would explain.
    """
    sha256 = sha256_of(path)
    cached = cache_folder("converted") / f"{sha256}.safetensors"
    if not cached.is_file():
        _convert(path, cached)
    return cached


def _convert(path: Path, destination: Path) -> None:
    command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path)]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, str(path.resolve()), str(destination.resolve())],
            capture_output=True,
            text=True,
            timeout=_seconds(path.stat().st_size),
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ModelFileError(
            f"{path}: takes longer to read than a file of its size should"
        ) from None
    if done.returncode == REFUSED:
        raise ModelFileError(done.stderr.strip().rpartition("\n")[2])
    if done.returncode != 0 or not destination.is_file():
        last = done.stderr.strip().rpartition("\n")[2][:300] or f"status {done.returncode}"
        raise ModelFileError(f"{path}: cannot be read within limits of memory and time: {last}")


def _seconds(length: int) -> float:
    """Return how long reading a file of `length` bytes may take, waits for the disk included."""
    return 300 + length / (2 * 2**20)
