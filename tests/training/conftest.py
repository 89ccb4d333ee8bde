"""A model that adapters, LoRAs and distillations are trained on, and trainings by two processes."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from latelier import Pipeline, compose


@pytest.fixture(scope="module")
def base(tiny: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny pipeline, with a text that takes the captions of the data."""
    text = {"width": 16, "layers": 1, "heads": 2, "max_length": 128}
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of the weights of the new text
        pipeline = compose(
            first_stage=tiny.first_stage_component,
            denoiser=tiny.denoiser_component,
            conditioners={"text": ("text", text), "label": tiny.conditioner_components["label"]},
            inputs=tiny.inputs,
            process=tiny.process,
            defaults=tiny.defaults,
            device="cpu",
            atelier=tiny.atelier,
        )
    pipeline.conditioner_components["text"].module.fit(["a red cat", "a blue dog on a sea"] * 20)
    folder = tmp_path_factory.mktemp("base")
    pipeline.save(folder)
    return folder


@pytest.fixture(scope="session")
def torchrun(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, str]]:
    """Return a function that runs a script in two processes: `run(script, prepare)`.

    `prepare(folder)` fills a new folder, and returns the arguments of each training. The function
    returns the folder and what the processes printed.

    A thread of gloo crashed in `malloc` once in about a thousand trainings (torch 2.13; memcheck
    finds no fault of memory). Then all is run again, once, with a warning.
    """

    def run(script: Path, prepare: Callable[[Path], list[dict[str, Any]]]) -> tuple[Path, str]:
        folder = tmp_path_factory.mktemp("runs")
        done = _run_two(script, folder, prepare(folder))
        if "(SIGSEGV)" in done.stderr:
            warnings.warn(f"a process crashed; running all again:\n{done.stderr}", stacklevel=2)
            folder = tmp_path_factory.mktemp("runs")
            done = _run_two(script, folder, prepare(folder))
        assert done.returncode == 0, done.stderr
        return folder, done.stderr

    return run


def _run_two(
    script: Path, folder: Path, calls: list[dict[str, Any]]
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = json.dumps([{**call, "out": str(folder / call["out"])} for call in calls])
    return subprocess.run(
        [*command, str(script), arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )
