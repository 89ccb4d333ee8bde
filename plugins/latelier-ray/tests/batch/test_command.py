"""`latelier batch` with two workers on this machine: every row once, whatever is killed."""

import json
import os
import shutil
import signal
import subprocess

import latelier
import psutil
import pytest
import torch
from checking import hash_pixels, list_workers, read_shards
from conftest import wait_until
from latelier.engine import Engine

PROMPTS = ("a cat", "a dog", "a red apple")
ROWS = 24
MANY_CHUNKS = ("--shard", 2)
"""More than workers are given, and so may finish, before they notice that the command has ended."""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"id": f"r{k}", "prompt": PROMPTS[k % 3], "seed": k} for k in range(ROWS)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def expected():
    """Hashes of the pixels by a bare loop over an engine, in this process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with Engine(latelier.load("emoji-scenes", "cpu", "float32"), rows=4, exact=True) as engine:
        jobs = {f"r{k}": engine.submit(prompt=PROMPTS[k % 3], seed=k, steps=6) for k in range(ROWS)}
        drawn = [(name, job.result()[0].to_bytes()) for name, job in jobs.items()]
    torch.set_num_threads(threads)
    return hash_pixels(drawn)


@pytest.fixture
def arguments(table, tmp_path):
    options = ("--workers", 2, "--rows", 4, "--shard", 4, "--device", "cpu", "--set", "steps=6")
    return ("batch", table, tmp_path / "out", "--model", "emoji-scenes", *options)


def check_all(folder, expected):
    found = read_shards(folder)
    assert sorted(name for name, _ in found) == sorted(expected)  # every id, and once
    assert hash_pixels(found) == expected
    assert not list(folder.rglob(".*"))


def has_shards(folder):
    return list(folder.glob("shards/0*"))


def test_a_killed_worker_is_replaced_and_every_row_is_drawn_once(
    start, cli, arguments, tmp_path, expected
):
    driver = start(*arguments)
    wait_until(lambda: has_shards(tmp_path / "out"))
    list_workers(driver)[0].kill()
    out, err = driver.communicate()
    assert driver.returncode == 0, err
    assert out == f"24 pictures in {tmp_path / 'out'}\n"
    check_all(tmp_path / "out", expected)

    manifest = json.loads((tmp_path / "out" / "job.json").read_text())
    assert manifest["input"]["rows"] == 24
    assert manifest["settings"] == {"steps": 6}
    assert len(manifest["model"]["manifest_sha256"]) == 64
    again = cli(*arguments)  # nothing is left to draw, so nothing is started
    assert (again.status, again.out) == (0, out)
    other = cli(*arguments, "--set", "steps=7")
    assert other.status == 2
    assert "has another job, with another settings.steps (6 there, 7 here)" in other.err


def test_a_killed_command_leaves_nothing_and_goes_on(start, cli, arguments, tmp_path, expected):
    driver = start(*arguments, *MANY_CHUNKS)
    wait_until(lambda: has_shards(tmp_path / "out"))
    family = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    wait_until(lambda: not any(each.is_running() for each in family))
    stored = len(read_shards(tmp_path / "out"))
    assert 0 < stored < ROWS

    done = cli(*arguments, *MANY_CHUNKS)

    assert done.status == 0, done.err
    check_all(tmp_path / "out", expected)


def test_an_interrupt_is_one_line_and_leaves_no_process(start, arguments, tmp_path):
    driver = start(*arguments, *MANY_CHUNKS)
    wait_until(lambda: has_shards(tmp_path / "out"))
    family = psutil.Process(driver.pid).children(recursive=True)
    os.kill(driver.pid, signal.SIGINT)
    _, err = driver.communicate()
    assert driver.returncode == 130
    last = err.splitlines()[-1]
    assert last.startswith("interrupted; ")
    assert last.endswith("of 24 pictures are stored; the same command goes on with them")
    assert "Traceback" not in err
    wait_until(lambda: not any(each.is_running() for each in family))


def test_rows_that_fail_are_in_a_table_and_drawn_again_on_request(cli, arguments, table, tmp_path):
    rows = [json.loads(line) for line in table.read_text().splitlines()[:6]]
    rows[2]["size"] = 61  # what only the loaded model knows
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    arguments = (*arguments, "--format", "parquet")
    out = tmp_path / "out"

    done = cli(*arguments)

    assert done.status == 1
    assert done.err.startswith("1 of 6 rows have no picture;")
    assert [path.name for path in (out / "errors").iterdir()] == ["000000.jsonl"]
    [fault] = map(json.loads, (out / "errors" / "000000.jsonl").read_text().splitlines())
    assert fault["id"] == "r2"
    assert "size" in fault["reason"]
    first = dict(read_shards(out))
    assert sorted(first) == ["r0", "r1", "r3", "r4", "r5"]
    assert cli(*arguments).status == 1  # it starts nothing, and says the same
    assert cli(*arguments, "--retry-errors").status == 1
    assert dict(read_shards(out)) == first


def test_a_picture_can_be_made_again_alone(cli, arguments, table, tmp_path):
    table.write_text(table.read_text().splitlines()[0])
    assert cli(*arguments).status == 0
    [(_, png)] = read_shards(tmp_path / "out")
    (tmp_path / "r0.png").write_bytes(png)
    done = cli("replay", tmp_path / "r0.png")
    assert (done.status, done.out) == (0, "identical\n")


def test_a_model_that_workers_cannot_load_is_one_error(cli, arguments, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(latelier.__path__[0] + "/models/emoji-scenes", broken)
    weights = max(broken.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-100])
    done = cli(*arguments[:4], broken, *arguments[5:])
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert weights.name in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(cli, arguments, tmp_path, expected):
    small = tmp_path / "out"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", small], check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        done = cli(*arguments)
        assert done.status == 2
        last = done.err.splitlines()[-1]
        assert last.startswith(f"error: {small}/shards/")
        assert last.endswith(": No space left on device")
        assert "Traceback" not in done.err
        assert read_shards(small)
        subprocess.run(["mount", "-o", "remount,size=10m", small], check=True)
        assert cli(*arguments).status == 0
        check_all(small, expected)
    finally:
        subprocess.run(["umount", "-l", small], check=False)
