"""The command line in this process and in others, and what it leaves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import ray
from fake_ray import FakeRay
from latelier.checkpoints.component import new_component, save_component
from latelier.kernel.default import default_atelier

MINUTES = 5 * 60
"""How long a command may take on a busy machine: Ray alone takes up to minutes to start."""


TINY_DENOISER = {
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 8,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "num_heads": 1,
    "num_groups": 4,
}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def environment() -> Mapping[str, str]:
    """Variables of a command: one thread, and no terminal."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def start(environment, tmp_path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process, which ends with the test."""
    started = []

    def start_it(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "latelier", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - there are no threads yet
        )
        started.append(process)
        return process

    yield start_it
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def _heed_interrupts() -> None:
    """Undo what a shell does to commands in the background, and their children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def cli(start) -> Callable[..., Done]:
    """Run the command line to its end."""

    def run(*arguments: object) -> Done:
        process = start(*arguments)
        out, err = process.communicate(timeout=MINUTES)
        return Done(process.returncode, out, err)

    return run


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until something holds, for minutes at most."""
    end = time.monotonic() + MINUTES
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def tiny_training(tmp_path) -> dict[str, Any]:
    """Fields of the configuration of a denoiser of scenes of 16 pixels, without a first stage."""
    stage = tmp_path / "identity"
    save_component(stage, new_component("first_stage", "identity", {}, default_atelier()))
    return {
        "accelerator": "cpu",
        "first_stage": "identity",
        "denoiser": {"id": "unet", "config": TINY_DENOISER},
        "data": {"config": {"size": 16}},
    }


@pytest.fixture
def cluster(monkeypatch) -> FakeRay:
    """Actors of Ray that run in this process."""
    found = FakeRay()
    for name in ("remote", "wait", "get", "kill"):
        monkeypatch.setattr(ray, name, getattr(found, name))
    return found
