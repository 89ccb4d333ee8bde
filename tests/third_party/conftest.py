"""What is in here as a distribution is tested where it is installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

collect_ignore = ["latelier-compass", "latelier-flux"]


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], dict[str, str]]:
    """Install a distribution; returns the environment of a process that has it."""

    def install_it(source: Path) -> dict[str, str]:
        target = str(tmp_path_factory.mktemp("site"))
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", target]
        pip = [sys.executable, "-m", "pip", "install", *options, str(source)]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        # Two threads that wait for each other on a busy machine cost far more than one.
        return {**os.environ, "PYTHONPATH": target, "OMP_NUM_THREADS": "1"}

    return install_it
