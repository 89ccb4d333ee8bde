"""As people have it: installed from its own pyproject.toml, found by its entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run `latelier` where latelier-server is installed."""
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--upgrade"]
    pip = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(SOURCE)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}

    def run_it(*arguments):
        command = [sys.executable, "-m", "latelier", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run_it


def test_latelier_has_the_command(run):
    out = run("--help").stdout
    assert "serve" in out.partition("Commands of plugins:")[2]
    out = run("serve", "--help").stdout
    assert out.startswith("Usage: latelier serve [OPTIONS]")
    assert "--key-file FILE" in out
    assert "latelier-server:serve" in run("plugins", "list").stdout
    assert run("plugins", "doctor", "latelier-server").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "other machines can reach 0.0.0.0: give the server keys"),
        (["no-such-model", "--port", "0"], "no-such-model"),
        (["--key-file", "absent.txt"], "absent.txt: the keys cannot be read"),
        (["--port", "70000"], "--port"),
    ],
)
def test_a_mistake_is_one_line(run, arguments, words):
    done = run("serve", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
