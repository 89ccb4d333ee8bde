"""One process at a time holds the lock of a folder."""

import os
import subprocess
import sys

import pytest

from latelier.io.file_lock import claim, hold_lock

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_that_lives_on_keeps_no_claim(tmp_path):
    (told, tell), (end, keep) = os.pipe(), os.pipe()
    with claim(tmp_path):
        with pytest.raises(BlockingIOError), claim(tmp_path):
            pass
        child = os.fork()
        if child == 0:
            os.close(keep)
            os.write(tell, b"!")
            os.read(end, 1)
            os._exit(0)
        assert os.read(told, 1) == b"!"
    try:
        with claim(tmp_path):
            assert os.waitpid(child, os.WNOHANG) == (0, 0)  # it lives
    finally:
        os.close(keep)
        os.waitpid(child, 0)
        for descriptor in (told, tell, end):
            os.close(descriptor)
