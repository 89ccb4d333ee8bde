"""FLUX.1 in its own distribution, with no change to the framework."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "latelier-flux"


@pytest.fixture(scope="module")
def environment(install):
    pytest.importorskip("diffusers")
    return install(SOURCE)


@pytest.mark.parametrize("name", ["test_conformance.py", "test_flux.py"])
def test_the_plugin_passes(environment, name):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(SOURCE / "tests" / name)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "failed" not in done.stdout


def test_the_denoiser_is_short():
    lines = (SOURCE / "latelier_flux" / "denoiser.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 170
