"""Kill trainings of both stages at random moments; resumed, they end with the same bits.

    python benchmarks/training_resume.py [--kills 10] [--seed 0]

Each stage is trained once without interruption, and once more with `kill -9` at random moments of
the whole life of the process: while it starts, trains, writes checkpoints, or draws. A data worker,
accumulation, averages, dropout and a schedule take part.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml

from latelier.training.checkpoints.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    step_of,
)

STEPS = 300

COMMON = {
    "steps": STEPS,
    "batch_size": 8,
    "accumulate": 2,
    "workers": 1,
    "precision": "bf16-mixed",
    "accelerator": "cpu",
    "checkpoint_seconds": 0.2,
    "sheet_every": 60,
    "validate_every": 60,
    "log_every": 10,
    "data": {"config": {"size": 32}},
    "schedule": {"kind": "wsd", "warmup": 10, "decay": 0.5},
    "ema": {"lengths": [0.05, 0.1], "snapshots": 4},
}

FIRST_STAGE = {
    "measured_images": 8,
    "validation_images": 8,
    "first_stage": {
        "id": "autoencoder_kl",
        "config": {
            "ch": 16,
            "ch_mult": [1, 2],
            "num_res_blocks": 1,
            "num_groups": 4,
            "dropout": 0.1,
        },
    },
}

DENOISER = {
    "fit_samples": 500,
    "process": {"kind": "rectified_flow"},
    "defaults": {"steps": 2},
    "denoiser": {
        "id": "unet",
        "config": {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 16,
            "channel_mult": [1, 2],
            "num_res_blocks": 1,
            "attention_resolutions": [2],
            "num_heads": 2,
            "num_groups": 4,
            "dropout": 0.1,
            "context_dim": 16,
            "streams": {"text": {"width": 16, "injection": "native"}},
        },
    },
    "conditioners": {
        "text": {
            "id": "text",
            "source": "prompt",
            "config": {"width": 16, "layers": 1, "heads": 2, "vocab_size": 400},
        }
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="latelier-resume-") as folder:
        first = Path(folder, "first-stage")
        check("first-stage", FIRST_STAGE, first, moments, arguments.kills)
        stage = {"first_stage": str(first / "straight" / "result")}
        check("denoiser", {**DENOISER, **stage}, Path(folder, "denoiser"), moments, arguments.kills)


def check(
    command: str, config: dict[str, object], folder: Path, moments: random.Random, kills: int
) -> None:
    """Train without and with kills, and compare the last checkpoints."""
    run(command, config, folder / "straight")
    steps: list[int] = []
    for number in range(kills):
        process = start_run(command, config, folder / "killed")
        if moments.random() < 0.3:  # early, perhaps before the first step
            time.sleep(moments.uniform(0.5, 8.0))
        else:
            target = (number + moments.random()) * STEPS / (kills + 1)
            while process.poll() is None and last_step(folder / "killed") < target:
                time.sleep(0.02)
            time.sleep(moments.uniform(0.0, 0.3))
        if process.poll() is not None:
            raise SystemExit(f"{command}: ended before kill {number + 1}")
        process.kill()
        process.wait()
        steps.append(last_step(folder / "killed"))
    run(command, config, folder / "killed")
    one, other = (last(folder / name) for name in ("straight", "killed"))
    different = [
        f"{group}/{name}"
        for group in ("weights", "ema", "optimizer")
        for name, tensor in getattr(one, group).items()
        if not torch.equal(tensor, getattr(other, group)[name])
    ]
    print(f"{command}: {kills} kills, last checkpoints at steps {steps}", flush=True)
    print(f"{command}: {len(one.weights)} weights, {len(different)} tensors differ {different[:5]}")
    if different:
        raise SystemExit(1)


def run(command: str, config: dict[str, object], out: Path) -> None:
    """Train to the end."""
    process = start_run(command, config, out)
    if process.wait():
        raise SystemExit(f"{command} failed: {(out.parent / 'errors.txt').read_text()}")


def start_run(command: str, config: dict[str, object], out: Path) -> "subprocess.Popen[bytes]":
    """Start a training in its own process."""
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.parent / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump({**COMMON, **config, "out": str(out)}))
    with (out.parent / "errors.txt").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "latelier", "train", command, str(path)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def last_step(out: Path) -> int:
    """Return the step of the last checkpoint; 0 if there is none."""
    found = list_checkpoints(out / "checkpoints")
    return step_of(found[-1]) if found else 0


def last(out: Path) -> Checkpoint:
    return load_checkpoint(list_checkpoints(out / "checkpoints")[-1])


if __name__ == "__main__":
    main()
