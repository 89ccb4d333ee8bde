import signal
import subprocess
import sys
import time

import pytest
import yaml

COMMAND = [sys.executable, "-m", "latelier", "evaluate", "run"]


@pytest.fixture
def protocol(tmp_path):
    """A protocol of 12 pictures of the embedded model, in chunks of 2."""
    values = {
        "out": "run",
        "model": "emoji-scenes",
        "task": "text",
        "data": {"config": {"size": 64}},
        "pictures": 12,
        "batch_size": 2,
        "chunk_size": 2,
        "generate": {"steps": 1},
        "reference": {"pictures": 12},
        "measures": ["frechet_distance", "psnr"],
    }
    path = tmp_path / "protocol.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_run_shows_its_figures_and_writes_them(cli, protocol, tmp_path):
    done = cli("evaluate", "run", protocol, "--pictures", 4, "--set", "generate.steps=2")

    assert done.status == 0
    assert "| Fréchet distance ↓ |" in done.out
    assert (
        "Features of scene detector of latelier (for emoji scenes alone, not Inception)" in done.out
    )
    assert "note: 4 pictures and 12 reference pictures are too few for 192 features" in done.err
    assert "kernel_distance" in done.err
    assert (tmp_path / "run" / "results.json").is_file()
    stored = yaml.safe_load((tmp_path / "run" / "evaluation.yaml").read_text())
    assert stored["generate"] == {"steps": 2}
    assert stored["pictures"] == 4


def test_killed_in_a_chunk_and_resumed_by_two_processes_is_the_same(cli, protocol, tmp_path):
    assert cli("evaluate", "run", protocol, "--out", "whole").status == 0
    options = ["--processes", "2", "--set", "reference=whole/reference.safetensors"]
    killed = subprocess.Popen([*COMMAND, protocol, *options], cwd=tmp_path)
    chunks = tmp_path / "run" / "chunks"
    end = time.monotonic() + 120
    while not (chunks.is_dir() and any(chunks.glob("chunk-*"))):
        assert killed.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "run" / "results.json").exists()

    subprocess.run([*COMMAND, protocol, *options], cwd=tmp_path, check=True)

    first, second = (tmp_path / name / "results.json" for name in ("whole", "run"))
    assert first.read_bytes() == second.read_bytes()
    names = [path.name for path in chunks.iterdir()]
    assert sorted(names) == [f"chunk-{k:06d}.safetensors" for k in range(6)]


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_one_line_that_says_what_is_stored(protocol, tmp_path):
    options = ["--processes", "2", "--pictures", "2000", "--set", "measures=[psnr]"]
    command = [*COMMAND, protocol, *options]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    chunks = tmp_path / "run" / "chunks"
    end = time.monotonic() + 120
    while not (chunks.is_dir() and any(chunks.glob("chunk-*"))):
        assert time.monotonic() < end
        time.sleep(0.05)

    running.send_signal(signal.SIGINT)

    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.count("\n") == 1
    assert errors.startswith("interrupted; ")
    assert "of 2,000 pictures are stored; the same command goes on with them" in errors


def test_parts_are_merged(cli, protocol, tmp_path):
    cli("evaluate", "run", protocol, "--out", "whole", "--pictures", 4)
    for part in ("1/2", "2/2"):
        done = cli(
            "evaluate", "run", protocol, "--pictures", 4, "--part", part, "--out", f"part-{part[0]}"
        )
        assert done.status == 0
        assert "latelier evaluate merge" in done.err

    done = cli("evaluate", "merge", "part-1", "part-2", "-o", "merged")

    assert done.status == 0
    first, second = (tmp_path / name / "results.json" for name in ("whole", "merged"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "steps"], "--set: expected FIELD=VALUE, got 'steps'"),
        (["--set", "a=[1"], "--set a: '[1' cannot be read as YAML"),
        (["--set", "generate.stepps=5"], "generate: 'stepps' is no option of it"),
        (["--set", "generate.steps=0"], "generate.steps: "),
        (["--set", "generate.sampler=eulr"], "generate.sampler: there is no sampler 'eulr'"),
        (["--device", "gpu"], "device"),
        (["--part", "7/7"], "part: 7/7 is one of more parts than there are chunks of pictures: 6"),
        (["--part", "3/2"], "part: expected a part such as 1/2, got '3/2'"),
        (["--data", "missing"], "missing: not found"),
        (["--model", "emoji-scene"], "model 'emoji-scene' not found"),
        (["--set", "network=incepton"], "network: there is no feature network 'incepton'"),
        (["--set", "published=table-99"], "published table 'table-99' not found"),
        (["--set", "reference=missing.safetensors"], "missing.safetensors: not found"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(cli, protocol, tmp_path, arguments, message):
    done = cli("evaluate", "run", protocol, *arguments)

    assert done.status == 2
    assert done.err.startswith(f"error: {message}") or message in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""
    assert not (tmp_path / "run").exists()
