"""Measure the embedded model: every condition beside its goal, on drawings seen and never seen.

Writes the figures to --out, after each condition, and the table beside it as Markdown, with a sheet
of the first pictures of each condition. Conditions that are in the file already are not measured
again, so that a run goes on where it stopped:

python benchmarks/embedded_model.py --model emoji-scenes --scenes 500 --out runs/embedded.json
python benchmarks/embedded_model.py --model runs/denoiser/result --only text layout --scenes 100
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import latelier
from latelier.cli.options.values import read_named_options
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.data.contact_sheet import draw_contact_sheet
from latelier.evaluation.scene_model.conditions import CONDITIONS
from latelier.evaluation.scene_model.run import SceneTest, list_parts, measure_condition
from latelier.evaluation.scene_model.table import to_table
from latelier.io.atomic import write_bytes, write_json
from latelier.io.hashing import sha256_of
from latelier.metrics.scene_detector import SHIPPED_DETECTOR, load_detector
from latelier.pipeline import Pipeline

COSTS = ("speed", "size")
PROMPT = "a cat on a yellow background"
SETTINGS = (
    "model",
    "scenes",
    "seed",
    "reference_scenes",
    "vocabulary",
    "steps",
    "guidance",
    "acceleration",
)
SHEET = 32
MEBI = 2**20
COST_GOALS = {
    "warm_20_steps_s": ("one picture, 20 steps with guidance, warm", "s", 1.0),
    "warm_4_steps_s": ("one picture, 4 steps, warm", "s", 0.3),
    "cold_s": ("one picture, 20 steps with guidance, a new process", "s", 3.5),
    "weights_mib": ("all weights", "MiB", 40.0),
    "largest_file_mib": ("the largest file", "MiB", 16.0),
}


def main() -> None:
    arguments = parse_arguments()
    report = read_report(arguments)
    pipeline = latelier.load(arguments.model, device=arguments.device)
    test = SceneTest(
        pipeline=pipeline,
        detector=load_detector(arguments.detector),
        size=pipeline.defaults.size[0],
        vocabulary=arguments.vocabulary,
        count=arguments.scenes,
        seed=arguments.seed,
        reference_count=arguments.reference_scenes,
        options={
            "steps": arguments.steps,
            "guidance": arguments.guidance,
            "acceleration": arguments.acceleration
            and read_named_options(arguments.acceleration, "--acceleration"),
        },
    )
    for name in arguments.only:
        if name in COSTS and name not in report["costs"]:
            report["costs"][name] = measure_cost(name, pipeline, arguments.model)
        elif name in CONDITIONS:
            run_condition(name, test, report, arguments.out)
        write(report, arguments.out)
    print(to_markdown(report))


def parse_arguments() -> argparse.Namespace:
    known = [*CONDITIONS, *COSTS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="emoji-scenes", help="embedded name or folder")
    parser.add_argument("--only", nargs="+", choices=known, default=known, metavar="CONDITION")
    parser.add_argument("--scenes", type=int, default=500, help="of each part of a condition")
    parser.add_argument("--seed", type=int, default=7_300_000, help="of the scenes and pictures")
    parser.add_argument("--reference-scenes", type=int, default=10_000)
    parser.add_argument("--vocabulary", choices=("basic", "all"), default="all")
    parser.add_argument("--detector", type=Path, default=SHIPPED_DETECTOR, help="weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, help="the model's default if not given")
    parser.add_argument("--guidance", type=float, help="the model's default if not given")
    parser.add_argument("--acceleration", help="NAME[:KEY=VALUE,...]; none if not given")
    parser.add_argument("--out", type=Path, default=Path("runs/embedded_model/figures.json"))
    return parser.parse_args()


def read_report(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the file has, or an empty report.

    Raises:
        SystemExit: the file is of another model, of other weights or of other scenes.
    """
    settings = {name: getattr(arguments, name) for name in SETTINGS}
    files = [*weight_files(arguments.model), arguments.detector]
    settings["weights"] = {path.name: sha256_of(path) for path in files}
    settings["torch"] = torch.__version__
    if not arguments.out.is_file():
        return {"settings": settings, "conditions": {}, "costs": {}, "left_out": {}}
    report: dict[str, Any] = json.loads(arguments.out.read_text())
    if report["settings"] != settings:
        raise SystemExit(
            f"{arguments.out} has figures of other settings: {report['settings']}, not {settings}; "
            "choose another --out"
        )
    return report


def run_condition(name: str, test: SceneTest, report: dict[str, Any], out: Path) -> None:
    """Measure the parts of a condition that the report lacks."""
    condition = CONDITIONS[name]
    missing = [each for each in condition.needs if each not in test.pipeline.inputs]
    if missing:
        report["left_out"][name] = f"the model has no input {', '.join(missing)}"
        return
    report["left_out"].pop(name, None)
    measured = report["conditions"].setdefault(name, {})
    for part in list_parts(condition):
        if part in measured:
            continue
        start = time.monotonic()
        measured[part], images = measure_condition(test, condition, part)
        write(report, out)
        save_sheet(images, test, out.with_name(f"{out.stem}-{name}-{part}.png"))
        seconds = time.monotonic() - start
        values = {what: round(value, 4) for what, value in measured[part]["model"].items()}
        print(f"{name}, {part}: {values} in {seconds:.0f} s", flush=True)


def save_sheet(images: Tensor, test: SceneTest, path: Path) -> None:
    """Write the first pictures of a condition as a sheet."""
    first = tensor_to_pil(images[:SHEET])
    draw_contact_sheet(first, columns=8, tile=max(128, test.size)).save(path)


def measure_cost(name: str, pipeline: Pipeline, model: str) -> dict[str, float]:
    if name == "size":
        sizes = [path.stat().st_size / MEBI for path in weight_files(model)]
        return {"weights_mib": sum(sizes), "largest_file_mib": max(sizes)}
    return {
        "warm_20_steps_s": time_picture(pipeline, steps=20),
        "warm_4_steps_s": time_picture(pipeline, steps=4),
        "cold_s": time_cold_process(model),
    }


def weight_files(model: str) -> list[Path]:
    """Return the files of weights of an embedded model, or of a folder."""
    folder = Path(model)
    if not folder.is_dir():
        folder = Path(latelier.__file__).parent / "models" / model
    return sorted(folder.rglob("*.safetensors"))


def time_picture(pipeline: Pipeline, steps: int, runs: int = 7) -> float:
    """Return the median seconds of one picture after a first one that is not timed."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        pipeline.generate(prompt=PROMPT, seed=7, steps=steps)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def time_cold_process(model: str, runs: int = 5) -> float:
    """Return the median seconds of the command that makes one picture."""
    command = [sys.executable, "-m", "latelier", "generate", PROMPT, "--model", model]
    command += ["--seed", "7", "--steps", "20", "--force", "--output"]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs + 1):
            start = time.perf_counter()
            picture = str(Path(folder) / "picture.png")
            subprocess.run([*command, picture], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])  # the first fills the page cache


def write(report: Mapping[str, Any], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, dict(report))
    write_bytes(out.with_suffix(".md"), to_markdown(report).encode())


def to_markdown(report: Mapping[str, Any]) -> str:
    settings = report["settings"]
    lines = [
        f"{settings['scenes']} scenes of each part, seed {settings['seed']}; bold misses its goal.",
        "",
        to_table(report["conditions"]),
    ]
    costs = {name: value for each in report["costs"].values() for name, value in each.items()}
    if costs:
        lines += ["", "| cost | goal | measured |", "|---|---|---|"]
        for name, value in costs.items():
            title, unit, goal = COST_GOALS[name]
            text = f"{value:.2f} {unit}"
            mark = text if value <= goal else f"**{text}**"
            lines.append(f"| {title} | {goal:g} {unit} | {mark} |")
    lines += [f"\n{name}: not measured, {why}." for name, why in report["left_out"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
