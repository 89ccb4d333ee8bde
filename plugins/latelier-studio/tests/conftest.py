"""A studio in a process of its own, and a browser."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import PLUGINS, running_studio


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
    with running_studio(tmp_path_factory.mktemp("studio"), site) as url:
        yield url
