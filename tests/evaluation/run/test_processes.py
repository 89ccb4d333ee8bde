"""Processes are started in earnest here, with the network that ships."""

import multiprocessing
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest

from latelier.contracts.errors import DataError, EvaluationError
from latelier.contracts.frozen import validate
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.evaluation.records.chunk import list_chunks
from latelier.evaluation.run.folder import CHUNKS
from latelier.evaluation.run.processes import (
    compute_here,
    compute_in_processes,
    prepare_in_process,
)


def configure(out: Path, **fields: object) -> EvaluationConfig:
    values = {
        "out": out,
        "task": "originals",
        "data": {"config": {"size": 32}},
        "pictures": 7,
        "batch_size": 2,
        "chunk_size": 2,
        **fields,
    }
    return validate(EvaluationConfig, values, "test")


def read_all(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in list_chunks(out / CHUNKS)]


def test_processes_compute_the_chunks_that_one_does(tmp_path):
    one, three = configure(tmp_path / "one"), configure(tmp_path / "three")

    here = list(compute_here(prepare_in_process(one, 0), one.out, range(4), "x"))
    there = list(
        compute_in_processes(partial(prepare_in_process, three), three.out, range(4), "x", 3)
    )

    assert here == sorted(there) == [0, 1, 2, 3]
    assert read_all(one.out) == read_all(three.out)


def test_a_killed_process_is_an_error_that_says_how_to_go_on(tmp_path):
    config = configure(tmp_path, pictures=400)
    computed = compute_in_processes(
        partial(prepare_in_process, config), tmp_path, range(200), "x", 2
    )
    next(computed)
    multiprocessing.active_children()[0].kill()

    with pytest.raises(EvaluationError, match=r"was killed by SIGKILL.* goes on with the stored"):
        list(computed)
    assert not multiprocessing.active_children()


def test_the_error_of_a_process_is_that_of_the_run(tmp_path):
    config = configure(tmp_path, data={"path": str(tmp_path / "missing")})

    with pytest.raises(DataError, match="missing: not found"):
        list(compute_in_processes(partial(prepare_in_process, config), tmp_path, range(4), "x", 2))


def test_a_full_disk_is_an_error_of_the_system(tmp_path):
    (tmp_path / CHUNKS).write_bytes(b"no folder")

    prepare = partial(prepare_in_process, configure(tmp_path))

    with pytest.raises(OSError, match="File exists"):
        list(compute_in_processes(prepare, tmp_path, range(4), "x", 1))


def test_processes_end_with_the_one_that_started_them(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        dedent(
            f"""
            import os, time
            from pathlib import Path
            from latelier.evaluation.run.processes import compute_in_processes

            def prepare(place):
                Path({str(tmp_path)!r}, f"pid-{{place}}").write_text(str(os.getpid()))
                time.sleep(60)

            if __name__ == "__main__":
                list(compute_in_processes(prepare, Path({str(tmp_path)!r}), range(4), "x", 2))
            """
        )
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    started = [tmp_path / "pid-0", tmp_path / "pid-1"]
    _wait_until(lambda: all(path.exists() and path.read_text() for path in started))

    parent.kill()
    parent.wait()

    _wait_until(lambda: not any(_lives(int(path.read_text())) for path in started))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
