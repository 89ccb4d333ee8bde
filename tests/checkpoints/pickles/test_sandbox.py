"""Each limit of the subprocess that reads a pickle acts, and the error explains it."""

import sys

import pytest
import torch

from latelier.checkpoints.pickles import copies
from latelier.checkpoints.pickles.sandbox import limits_for
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.errors import ModelFileError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no limits on processes")

LIMITED = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from pathlib import Path
from latelier.checkpoints.pickles.sandbox import Limits, confine
M = 2**20
source, destination = sys.argv[2:]
confine(Limits(memory={memory} * M, seconds={seconds}, written={written}), Path(source).parent)
{act}
"""
"""The program of the reading process, with small limits, and an act in place of the reader."""

MUCH = {"memory": 512, "seconds": 100, "written": 2**20}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def checkpoint(tmp_path):
    torch.save({"w": torch.zeros(3)}, tmp_path / "w.pt")
    return tmp_path / "w.pt"


@pytest.fixture
def doing(monkeypatch, checkpoint):
    """Read a checkpoint in a subprocess that does something else, and return the error."""

    monkeypatch.setattr(copies, "time_limit", lambda _length: 20)

    def it(act, **limits):
        program = LIMITED.format(act=act, **{**MUCH, **limits})
        monkeypatch.setattr(copies, "WORKER_PROGRAM", program)
        with pytest.raises(ModelFileError) as error:
            tensors_of(checkpoint)
        return str(error.value)

    return it


SPIN = "while True: pass"
GROW = "held = bytearray(256 * M)"
WAIT = "import time; time.sleep(100)"
WRITE = "Path(source).with_name('own').write_bytes(bytes(5000))"


def test_processor_time_is_limited(doing):
    assert "cannot be read within limits of memory and time: status -" in doing(SPIN, seconds=1)


def test_memory_is_limited(doing):
    assert "within limits of memory and time: MemoryError" in doing(GROW, memory=128)


def test_the_size_of_written_files_is_limited(doing, checkpoint):
    assert "File too large" in doing(WRITE, written=4000)
    assert checkpoint.with_name("own").stat().st_size <= 4000


def test_a_process_within_its_limits_is_not_stopped(doing):
    # it makes no file of weights, which is the one thing to complain of
    assert doing(f"{GROW}\n{WRITE}").endswith("memory and time: status 0")


def test_waiting_time_is_limited(doing, monkeypatch):
    monkeypatch.setattr(copies, "time_limit", lambda _length: 0.5)
    assert "takes longer to read than a file of its size should" in doing(WAIT)


def test_the_reader_itself_is_limited(checkpoint, monkeypatch):
    program = copies.WORKER_PROGRAM.replace(
        "import main",
        "import main, limits_for\n"
        "import dataclasses, latelier.checkpoints.pickles.worker as worker\n"
        "worker.limits_for = lambda n: dataclasses.replace(limits_for(n), written=50)",
    )
    monkeypatch.setattr(copies, "WORKER_PROGRAM", program)
    with pytest.raises(ModelFileError, match=r"copy cannot be written: File too large"):
        tensors_of(checkpoint)


def test_limits_grow_with_the_file():
    small, large = limits_for(0), limits_for(4 * 2**30)
    assert small.memory < large.memory
    assert small.seconds < large.seconds
    # a checkpoint of half precision is written in single
    assert large.written > 2 * 4 * 2**30
