"""Tune a schedule to a model: find the few sigmas with which a sampler has the least error."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.evaluation.sampling.comparison import make_schedule
from latelier.evaluation.sampling.problem import Problem, measure_errors
from latelier.kernel.atelier import Atelier
from latelier.pipeline.request import NamedOptions

GROW, SHRINK = 1.5, 0.5
_FIRST_MOVE = 0.2
_MIN_MOVE = 0.01
_MIN_GAP = 1e-3


def tune_schedule(
    problem: Problem,
    sampler: Sampler,
    starts: Sequence[SigmaGrid],
    exact: Tensor,
    rounds: int = 12,
    followed: int = 1,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[SigmaGrid, float]:
    """Return the sigmas with which a sampler has the least error, and that error.

    Align Your Steps (arXiv:2404.14507) minimises a bound for any sampler and any samples. Here the
    error itself is minimised, of this sampler on the starting points of the problem. The inner
    sigmas of the best of `starts` are moved one at a time: a move that helps is larger the next
    time, and one that does not is reversed and smaller. The first sigma and the last stay.

    Args:
        problem: with at least 16 starting points that no comparison uses; with fewer the schedule
            fits them and not the model.
        sampler: with its options.
        starts: sigmas to start from, all of one number of steps.
        exact: (B, *shape), the exact end of each starting point.
        rounds: moves of each sigma, at most; the first ten gain most.
        followed: number of starts to tune, the best first: each leads to a minimum near it.
        report: receives a line with the error after each round.
    """

    def error(grid: SigmaGrid) -> float:
        found = float(measure_errors(problem.solve(sampler, grid), exact).mean())
        return found if math.isfinite(found) else math.inf

    ranked = sorted(((error(start), start) for start in starts), key=lambda pair: pair[0])
    moved = [_descend(error, start, found, rounds, report) for found, start in ranked[:followed]]
    found, grid = min(moved, key=lambda pair: pair[0])
    return grid, found


def _descend(
    error: Callable[[SigmaGrid], float],
    grid: SigmaGrid,
    best: float,
    rounds: int,
    report: Callable[[str], None],
) -> tuple[float, SigmaGrid]:
    """Return the least error that moves of single sigmas find from `grid`, and its sigmas."""
    moves = dict.fromkeys(range(1, grid.steps), _FIRST_MOVE)
    for index in range(rounds):
        for k in moves:
            for move in (moves[k], -moves[k]):
                moved = _move(grid, k, move)
                found = math.inf if moved is None else error(moved)
                if moved is not None and found < best:
                    best, grid, moves[k] = found, moved, move * GROW
                    break
            else:
                moves[k] *= SHRINK
        report(f"round {index + 1}, error {best:.4g}")
        if all(abs(move) < _MIN_MOVE for move in moves.values()):
            break
    return best, grid


def make_starting_grids(problem: Problem, steps: int, atelier: Atelier) -> list[SigmaGrid]:
    """Return the sigmas of all registered schedules that make `steps` steps by default."""
    found: list[SigmaGrid] = []
    for spec in atelier.schedules.specs():
        try:
            grid = make_schedule(NamedOptions(name=spec.id), problem, atelier)(steps)
        except InvalidInputError:  # it is for other processes, or requires options
            continue
        if grid.steps == steps and all(grid.sigmas != other.sigmas for other in found):
            found.append(SigmaGrid(grid.sigmas, grid.frame))
    return found


def _move(grid: SigmaGrid, k: int, move: float) -> SigmaGrid | None:
    """Return the sigmas with log(sigma) of number k moved; None if it would meet another."""
    sigmas = list(grid.sigmas)
    sigmas[k] *= math.exp(move)
    highest = sigmas[k - 1] * (1 - _MIN_GAP)
    lowest = sigmas[k + 1] * (1 + _MIN_GAP)
    return SigmaGrid(tuple(sigmas), grid.frame) if lowest < sigmas[k] < highest else None
