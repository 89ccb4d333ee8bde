"""Kill trainings of both stages at random moments; resumed, they end with the same bits.

    python benchmarks/kill_and_resume.py [--kills 10] [--seed 0] [--stages first-stage denoiser ...]

Each training runs once without interruption, and once more with `kill -9` at random moments of the
whole life of the process; half of them come while it writes a checkpoint. The last checkpoints,
the snapshots and the results must be the same. Data workers, accumulation, averages, dropout, a
schedule, a discriminator, pictures from a folder and cached latents take part.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL.Image import fromarray

from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.training.checkpoints.checkpoint import list_checkpoints
from latelier.training.step_names import step_of

STEPS = 200

COMMON = {
    "steps": STEPS,
    "batch_size": 8,
    "accumulate": 2,
    "workers": 1,
    "precision": "bf16-mixed",
    "accelerator": "cpu",
    "checkpoint_seconds": 0.2,
    "sheet_every": 50,
    "validate_every": 50,
    "log_every": 10,
    "schedule": {"kind": "wsd", "warmup": 10, "decay": 0.5},
    "ema": {"lengths": [0.05, 0.1], "snapshots": 4},
}

FIRST_STAGE = {
    "data": {"config": {"size": 32}},
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
    "adversarial": {"start": 0.25, "discriminator": {"layers": 1, "channels": 8}},
    "equivariance": {"share": 0.5},
    "decoder_only": {"start": 0.75},
}

DENOISER = {
    "fit_samples": 500,
    "process": {"kind": "rectified_flow"},
    "loss": {"uncertainty": {"channels": 16}},
    "validation": {"samples": 4, "levels": [0.3, 0.7]},
    "drop_all": 0.1,
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

PICTURES = 48


@dataclass(frozen=True)
class Stage:
    """A training to kill.

    Attributes:
        name: Of the row in the table.
        command: Of `latelier train`.
        config: Its configuration, without `out`.
    """

    name: str
    command: str
    config: dict[str, Any]


def main() -> None:
    stages = ("first-stage", "denoiser", "cached denoiser")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="+", choices=stages, default=stages)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    rows = []
    with tempfile.TemporaryDirectory(prefix="latelier-kill-") as scratch:
        folder = Path(scratch)
        for stage in prepare_stages(folder, arguments.stages):
            rows.append(check(stage, folder / stage.name, moments, arguments.kills))
            print(format_row(rows[-1]), flush=True)
    if any(row.differences for row in rows):
        raise SystemExit("\n".join(line for row in rows for line in row.differences))


def prepare_stages(folder: Path, names: list[str]) -> list[Stage]:
    """Write the pictures and the cache, and return the trainings of these names."""
    pictures = folder / "pictures"
    write_pictures(pictures)
    data: dict[str, Any] = {"path": str(pictures), "size": 32, "held_out": {"share": 0.1}}
    cropped = {**data, "crop": "random", "crop_scale": [0.7, 1.0], "flip": True}
    cached = {**cropped, "cache": {"folder": str(folder / "cache"), "views": 2}}
    stage = {**DENOISER, "first_stage": str(folder / "base" / "result")}
    found = [
        Stage("first-stage", "first-stage", FIRST_STAGE),
        Stage("denoiser", "denoiser", {**stage, "data": cropped}),
        Stage("cached denoiser", "denoiser", {**stage, "data": cached}),
    ]
    if set(names) != {"first-stage"}:
        finish(Stage("base", "first-stage", {**FIRST_STAGE, "steps": 20}), folder / "base")
        config = write_config(found[-1], folder / "cached")
        cache = ("data", "cache", "denoiser", str(config))
        run_to_end([sys.executable, "-m", "latelier", *cache])
    return [each for each in found if each.name in names]


def write_pictures(folder: Path) -> None:
    """Write scenes as pictures with their captions beside them."""
    folder.mkdir()
    scenes = EmojiScenes(SceneConfig(size=48), seed=1, length=PICTURES)
    for number in range(PICTURES):
        sample = scenes[number]
        image = ((sample["image"] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        fromarray(image).save(folder / f"{number:03d}.png")
        (folder / f"{number:03d}.txt").write_text(sample["prompt"])


@dataclass(frozen=True)
class Row:
    """What became of a training that was killed.

    Attributes:
        name: Of its stage.
        steps: Step of the last checkpoint after each kill; 0: none.
        writing: Kills that left a half-written checkpoint.
        files: Files that were compared.
        differences: One line for each file that differs or is missing.
    """

    name: str
    steps: list[int]
    writing: int
    files: int
    differences: list[str]


def format_row(row: Row) -> str:
    return (
        f"{row.name:16} {len(row.steps)} kills, {row.writing} of them left half a checkpoint; "
        f"resumed at {row.steps}; {row.files} files compared, {len(row.differences)} differ"
    )


def check(stage: Stage, folder: Path, moments: random.Random, kills: int) -> Row:
    """Train without and with kills, and compare all that is left."""
    straight, killed = folder / "straight", folder / "killed"
    finish(stage, straight)
    steps, writing = [], 0
    for number in range(kills):
        process = start_run(stage, killed)
        if number % 4 == 0:  # early, perhaps before the first step
            wait_for(process, moments.uniform(0.5, 8.0))
        else:
            target = (number + moments.random()) * STEPS / (kills + 1)
            while process.poll() is None and last_step(killed) < target:
                time.sleep(0.01)
            wait_for(process, moments.uniform(0.0, 0.3))
        while number % 2 and process.poll() is None and not list_partial(killed):
            time.sleep(0.0005)
        if process.poll() is not None:
            raise SystemExit(f"{stage.name} ended before kill {number + 1}: {errors_of(killed)}")
        process.kill()
        process.wait()
        writing += bool(list_partial(killed))
        steps.append(last_step(killed))
    finish(stage, killed)
    files, differences = compare(straight, killed)
    return Row(stage.name, steps, writing, files, [f"{stage.name}: {each}" for each in differences])


def wait_for(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait for some seconds or the end of the process."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def last_step(out: Path) -> int:
    """Return the step of the last checkpoint; 0 if there is none."""
    found = list_checkpoints(out / "checkpoints")
    return step_of(found[-1]) if found else 0


def list_partial(out: Path) -> list[Path]:
    return list((out / "checkpoints").glob(".*.part"))


def compare(one: Path, other: Path) -> tuple[int, list[str]]:
    """Compare the last checkpoints, the snapshots and the results byte by byte."""
    count, differences = 0, []
    parts = (list_checkpoints(out / "checkpoints")[-1].relative_to(out) for out in (one, other))
    for part in {*parts, Path("snapshots"), Path("result")}:
        names = {path.relative_to(out) for out in (one, other) for path in (out / part).rglob("*")}
        for name in sorted(names):
            if (one / name).is_dir():
                continue
            count += 1
            if not (one / name).exists() or not (other / name).exists():
                differences.append(f"{name} is missing in one of them")
            elif (one / name).read_bytes() != (other / name).read_bytes():
                differences.append(f"{name} differs")
    half = [str(path) for path in other.rglob("*.part")]
    return count, [*differences, *(f"{path} is left behind" for path in half)]


def finish(stage: Stage, out: Path) -> None:
    """Train to the end."""
    if start_run(stage, out).wait():
        raise SystemExit(f"{stage.name} failed: {errors_of(out)}")


def start_run(stage: Stage, out: Path) -> "subprocess.Popen[bytes]":
    """Start a training in its own process."""
    config = write_config(stage, out)
    with out.with_suffix(".err").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "latelier", "train", stage.command, str(config)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def run_to_end(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")


def write_config(stage: Stage, out: Path) -> Path:
    """Write the configuration beside `out` and return its path."""
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({**COMMON, **stage.config, "out": str(out)}))
    return path


def errors_of(out: Path) -> str:
    return out.with_suffix(".err").read_text()


if __name__ == "__main__":
    main()
