"""How near do samplers come to the exact solution, by calls of the model? Ours, and diffusers'.

On a mixture of Gaussians (VP), and on the embedded model (rectified flow) unguided and at guidance
5, for 64 held-out captions and starting points. All solve the same ODE from the same noise and may
call the model as often as one another. `--tune` adds some of ours on schedules tuned on other
captions and starting points. What takes long, the exact solutions and the tuned schedules, is kept
in the output folder.

python benchmarks/sampler_error.py --tune 8 12 --output runs/sampler-error
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors.torch import load_file, save_file
from sampler_peers import register
from torch import Tensor

import latelier
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.diffusion.processes.kinds import process_from
from latelier.evaluation.sampling.comparison import (
    Measurement,
    make_sampler,
    measure_samplers,
    solve_exactly,
)
from latelier.evaluation.sampling.mixture import make_mixture
from latelier.evaluation.sampling.pipelines import make_pipeline_problem
from latelier.evaluation.sampling.plot import plot
from latelier.evaluation.sampling.problem import Problem
from latelier.evaluation.sampling.table import write_csv
from latelier.evaluation.sampling.tuning import make_starting_grids, tune_schedule
from latelier.io.atomic import write_json
from latelier.kernel.atelier import Atelier
from latelier.pipeline.request import NamedOptions

SEED, TUNING_SEED = 2_000_000, 3_000_000
PROBLEMS = ("mixture", "unguided", "guided")
console = Console()


def main() -> None:
    arguments = parse()
    atelier = Atelier()
    register(atelier)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.problems:
        measured = list(measure(name, arguments, atelier))
        write_csv(measured, arguments.output / f"{name}.csv")
        plot(measured, arguments.output / f"{name}.svg")
        for each in sorted(measured, key=lambda each: (each.budget, each.error)):
            console.print(f"{name} {each.nfe:3} {each.sampler}, {each.schedule}: {each.error:.3e}")


def measure(name: str, arguments: Any, atelier: Atelier) -> Sequence[Measurement]:
    """Return the errors of all samplers on one problem."""
    problem = problem_called(name, SEED, arguments.seeds)
    exact = exact_of(problem, arguments.output / f"{name}.exact.safetensors", atelier)
    names = arguments.samplers or [
        spec.name
        for spec in atelier.samplers.specs()
        if spec.traits
        and spec.traits.order
        and not spec.traits.is_inversion
        and spec.name != "euler"
    ]
    samplers = [NamedOptions(name=each) for each in names]
    schedules = [NamedOptions(name=each) for each in arguments.schedules]
    found = list(
        measure_samplers(problem, exact, samplers, schedules, arguments.nfe, atelier, console.print)
    )
    for sampler, steps in product(
        map(NamedOptions.model_validate, arguments.tuned), arguments.tune
    ):
        choice = tuned_schedule(name, sampler, steps, arguments, atelier)
        on_tuned = measure_samplers(problem, exact, [sampler], [choice], [steps], atelier)
        found += [replace(each, schedule="tuned") for each in on_tuned]
    return found


def tuned_schedule(
    name: str, choice: NamedOptions, steps: int, arguments: Any, atelier: Atelier
) -> NamedOptions:
    """Return the sigmas for a sampler that are best on other captions and starting points.

    They are kept in a file that `latelier generate --schedule @FILE` takes too.
    """
    path = arguments.output / f"{name}.{choice.name}.{steps}.json"
    if not path.is_file():
        problem = problem_called(name, TUNING_SEED, arguments.tuning_seeds)
        known = arguments.output / f"{name}.tuning.exact.safetensors"
        exact = exact_of(problem, known, atelier)
        console.print(f"{name}: tuning {steps} steps of {choice.name}")
        starts = make_starting_grids(problem, steps, atelier)
        sampler, followed = make_sampler(choice, atelier), arguments.starts
        grid, _ = tune_schedule(
            problem, sampler, starts, exact, followed=followed, report=console.print
        )
        fixed = NamedOptions(name="fixed", options={"sigmas": list(grid.sigmas)})
        write_json(path, fixed.model_dump())
    return NamedOptions.model_validate_json(path.read_text())


def problem_called(name: str, seed: int, count: int) -> Problem:
    """Return a problem of so many starting points."""
    seeds = range(seed, seed + count)
    if name == "mixture":
        return make_mixture(process_from({"kind": "vp"}), seeds)
    scenes = EmojiScenes(seed=seed, length=count)
    prompts = [scenes.scene(k).caption for k in range(count)]
    scale = {"unguided": 1.0, "guided": 5.0}[name]
    pipe = latelier.load("emoji-scenes", dtype="float32")
    return make_pipeline_problem(pipe, name, seeds, prompt=prompts, guidance=scale)


def exact_of(problem: Problem, path: Path, atelier: Atelier) -> Tensor:
    """Return the exact solution, from the file where it was found before."""
    if not path.is_file():
        console.print(f"{problem.name}: the exact solution")
        save_file({"exact": solve_exactly(problem, atelier).contiguous()}, path)
    return load_file(path)["exact"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--samplers", nargs="+", default=[], help="by default all of an order")
    parser.add_argument("--schedules", nargs="+", default=["karras"])
    parser.add_argument("--nfe", nargs="+", type=int, default=[5, 8, 10, 12, 15, 20, 50])
    parser.add_argument("--tune", nargs="*", type=int, default=[], help="steps to tune for")
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument("--tuned", nargs="+", default=["dpmpp_2m", "ipndm", "unipc"])
    parser.add_argument("--tuning-seeds", type=int, default=32)
    parser.add_argument("--starts", type=int, default=1, help="schedules to tune from")
    parser.add_argument("--output", type=Path, default=Path("runs/sampler-error"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
