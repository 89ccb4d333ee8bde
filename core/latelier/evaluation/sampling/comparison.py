"""The error of samplers and schedules by the number of calls of the model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from torch import Tensor

from latelier.contracts.sampling import Sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.evaluation.sampling.budget import calls_on, grid_within
from latelier.evaluation.sampling.problem import Problem, relative_errors
from latelier.kernel.atelier import Atelier
from latelier.pipeline.request import NamedOptions


@dataclass(frozen=True)
class Measured:
    """One sampler on one schedule, each as it was asked for, within one budget.

    nfe: how often it called the model, `budget` times at most. error: the mean of the images'
    relative L2 errors.
    """

    problem: str
    sampler: str
    schedule: str
    budget: int
    nfe: int
    steps: int
    error: float


def compare(
    problem: Problem,
    exact: Tensor,
    samplers: Sequence[NamedOptions],
    schedules: Sequence[NamedOptions],
    budgets: Sequence[int],
    atelier: Atelier,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Measured]:
    """Yield the error of each sampler on each schedule within each budget of calls.

    Args:
        problem: what they solve.
        exact: (B, *shape), where each starting point must end.
        samplers: with options or without.
        schedules: one that cannot make a grid within a budget is passed over for it.
        budgets: calls of the model.
        atelier: where names are looked up.
        tell: is told what is measured.

    Raises:
        UnknownNameError, InvalidInputError: see `NamedOptions.resolved`.
    """
    made = [(labelled(choice), sampler_of(choice, atelier)) for choice in samplers]
    spaced = [(labelled(choice), schedule_of(choice, problem, atelier)) for choice in schedules]
    for (name, sampler), (spacing, grid_of), budget in product(made, spaced, budgets):
        grid = grid_within(budget, sampler, grid_of)
        if grid is None:
            continue
        tell(f"{name}, {spacing}, {budget} calls")
        error = float(relative_errors(problem.solved(sampler, grid), exact).mean())
        nfe = calls_on(sampler, grid)
        yield Measured(problem.name, name, spacing, budget, nfe, grid.steps, error)


def reference(problem: Problem, atelier: Atelier, steps: int = 1000) -> Tensor:
    """Return where the starting points of a problem end, by many steps of Heun's method."""
    grid = schedule_of(NamedOptions(name="karras"), problem, atelier)(steps)
    return problem.solved(sampler_of(NamedOptions(name="heun"), atelier), grid)


def labelled(choice: NamedOptions) -> str:
    """Return a choice as it is typed, but for long values."""
    options = ",".join(f"{name}={value!s:.12}" for name, value in choice.options.items())
    return f"{choice.name}:{options}" if options else choice.name


def sampler_of(choice: NamedOptions, atelier: Atelier) -> Sampler:
    """Return a sampler with its options."""
    resolved = choice.resolve(atelier.samplers)
    return partial(atelier.samplers.get(resolved.name), **resolved.options)


def schedule_of(
    choice: NamedOptions, problem: Problem, atelier: Atelier
) -> Callable[[int], SigmaGrid]:
    """Return what makes the grid of a number of steps for a problem."""
    resolved = choice.resolve(atelier.schedules)
    schedule = atelier.schedules.get(resolved.name)
    return lambda steps: schedule(steps, problem.process, **resolved.options)
