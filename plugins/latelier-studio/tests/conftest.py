"""A studio in a process of its own, and a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sketchbook import save_model

PLUGINS = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Where latelier-palette is installed, whose widget the page loads."""
    target = tmp_path_factory.mktemp("site")
    options = [
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        str(target),
    ]
    source = PLUGINS / "latelier-palette"
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return target


@pytest.fixture(scope="session")
def studio(tmp_path_factory, site) -> Iterator[str]:
    """The URL of a studio with the embedded model and one with all kinds of inputs."""
    folder = tmp_path_factory.mktemp("studio")
    save_model(folder / "sketchbook")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [PLUGINS / "latelier-studio", PLUGINS / "latelier-server", site]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "OMP_NUM_THREADS": "1",
    }
    code = "import typer; from latelier_studio.command import studio; typer.run(studio)"
    arguments = ["emoji-scenes", str(folder / "sketchbook"), "--port", str(port), "--no-browser"]
    arguments += ["--gallery", str(folder / "gallery"), "--precision", "float32"]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until_ready(process, f"{url}ready")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until a server has loaded its first model."""
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError("the studio has ended")
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError("the studio does not become ready")
