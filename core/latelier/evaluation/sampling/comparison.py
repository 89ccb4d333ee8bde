"""Measure the error of samplers and schedules by the number of calls of the model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from torch import Tensor

from latelier.contracts.sampling import Sampler, run_schedule
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.evaluation.sampling.budget import count_calls, find_grid
from latelier.evaluation.sampling.problem import Problem, measure_errors
from latelier.kernel.atelier import Atelier
from latelier.pipeline.request import NamedOptions


@dataclass(frozen=True)
class Measurement:
    """The error of a sampler on a schedule within a budget of calls.

    Attributes:
        problem: its name.
        sampler: with its options, as on the command line.
        schedule: with its options, as on the command line.
        budget: greatest number of calls of the model.
        nfe: the calls that it made.
        steps: of the run.
        error: mean of the images' relative L2 errors.
    """

    problem: str
    sampler: str
    schedule: str
    budget: int
    nfe: int
    steps: int
    error: float


def measure_samplers(
    problem: Problem,
    exact: Tensor,
    samplers: Sequence[NamedOptions],
    schedules: Sequence[NamedOptions],
    budgets: Sequence[int],
    atelier: Atelier,
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[Measurement]:
    """Yield the error of each sampler on each schedule within each budget of calls.

    Args:
        problem: to solve.
        exact: (B, *shape), the exact end of each starting point.
        samplers: with options or without.
        schedules: one that makes no run within a budget is skipped for it.
        budgets: calls of the model.
        atelier: where names are looked up.
        report: receives a line about each measurement before it is made.

    Raises:
        UnknownNameError: a sampler or schedule is not registered.
        InvalidInputError: an option does not exist, or is out of range.
    """
    functions = [(format_choice(each), make_sampler(each, atelier)) for each in samplers]
    spacings = [(format_choice(each), make_schedule(each, problem, atelier)) for each in schedules]
    for (name, sampler), (spacing, schedule), budget in product(functions, spacings, budgets):
        grid = find_grid(budget, sampler, schedule)
        if grid is None:
            continue
        report(f"{name}, {spacing}, {budget} calls")
        error = float(measure_errors(problem.solve(sampler, grid), exact).mean())
        nfe = count_calls(sampler, grid)
        yield Measurement(problem.name, name, spacing, budget, nfe, grid.steps, error)


def solve_exactly(problem: Problem, atelier: Atelier, steps: int = 1000) -> Tensor:
    """Return the ends of the starting points of a problem, by many steps of Heun's method."""
    grid = make_schedule(NamedOptions(name="karras"), problem, atelier)(steps)
    return problem.solve(make_sampler(NamedOptions(name="heun"), atelier), grid)


def format_choice(choice: NamedOptions) -> str:
    """Return a choice as on the command line, long values shortened."""
    options = ",".join(f"{name}={value!s:.12}" for name, value in choice.options.items())
    return f"{choice.name}:{options}" if options else choice.name


def make_sampler(choice: NamedOptions, atelier: Atelier) -> Sampler:
    """Return a sampler with its options."""
    resolved = choice.resolve(atelier.samplers)
    return partial(atelier.samplers.get(resolved.name), **resolved.options)


def make_schedule(
    choice: NamedOptions, problem: Problem, atelier: Atelier
) -> Callable[[int], SigmaGrid]:
    """Return the schedule of a choice: a number of steps -> the sigmas for a problem."""
    resolved = choice.resolve(atelier.schedules)
    schedule = atelier.schedules.get(resolved.name)
    return lambda steps: run_schedule(
        schedule, steps, problem.process, problem.geometry, **resolved.options
    )
