"""One process at a time holds the lock of a folder."""

import subprocess
import sys

import pytest

from latelier.io.file_lock import hold_lock

WAIT = """
import sys
from pathlib import Path
from latelier.io.file_lock import hold_lock

with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", WAIT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_other_processes_wait_and_dead_ones_release_the_lock(tmp_path):
    folder = tmp_path / "new"
    with hold_lock(folder):
        other = start(folder)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1)
    assert other.stdout.readline() == "held\n"
    other.kill()
    other.wait()
    with hold_lock(folder):
        assert list(folder.iterdir()) == []
