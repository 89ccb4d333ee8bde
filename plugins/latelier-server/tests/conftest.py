"""A server in this process for each module, and servers in processes of their own."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from latelier.contracts.images.reading import to_data_uri
from PIL import Image
from starlette.testclient import TestClient

from latelier_server import Limits, Settings, create_app

PLUGIN = Path(__file__).parents[1]
URL = "http://localhost"


def serve_here(folder: Path, **changes: object) -> TestClient:
    """Return a client of a server in this process."""
    values = {"models": ("emoji-scenes",), "dtype": "float32", "gallery": folder / "gallery"}
    return TestClient(create_app(Settings(**{**values, **changes})), base_url=URL)


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[TestClient]:
    """A client of a server without keys."""
    with serve_here(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., TestClient]]:
    """Start servers in this process, with settings of the test's."""
    started = []

    def start(**changes: object) -> TestClient:
        found = serve_here(tmp_path, **changes)
        started.append(found)
        return found.__enter__()

    yield start
    for each in started:
        each.__exit__(None, None, None)


@pytest.fixture
def limits() -> type[Limits]:
    """The class of limits."""
    return Limits


def wait_until_done(client: TestClient, job: dict) -> dict:
    """Return the last state of a job."""
    for _ in range(600):
        state = client.get(f"/api/jobs/{job['id']}").json()
        if state["state"] not in ("queued", "running"):
            return state
        time.sleep(0.02)
    raise TimeoutError(state)


@pytest.fixture
def finish() -> Callable[[TestClient, dict], dict]:
    """Wait for a job."""
    return wait_until_done


def png(color: object = "red", size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    """Return the bytes of a PNG of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def red() -> bytes:
    """A red PNG of 64 x 64 pixels."""
    return png()


@pytest.fixture
def red_uri(red) -> str:
    """The same as a data URI."""
    return to_data_uri(Image.open(io.BytesIO(red)))


class Process:
    """A server in a process of its own."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        code = "import typer; from latelier_server.command import serve; typer.run(serve)"
        options = ["--port", str(self.port), "--precision", "float32", *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "emoji-scenes", *options],
            env={**os.environ, "PYTHONPATH": str(PLUGIN), **(environment or {})},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        for _ in range(1200):  # two minutes, for machines with other work
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read())
            try:
                urllib.request.urlopen(f"{self.url}/ready", timeout=1)
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise AssertionError("the server does not become ready")

    def end(self) -> str:
        """End the process, and return its log."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    """A server in a process of its own, for the tests of a module."""
    found = Process()
    yield found
    if found.process.poll() is None:
        found.end()


@pytest.fixture
def start_process() -> Iterator[Callable[..., Process]]:
    """Start servers in processes of their own."""
    started = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> Process:
        started.append(Process(*arguments, environment=environment))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()
