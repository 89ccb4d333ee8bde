"""A schedule for the model at hand: the few sigmas with which a sampler errs least."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.evaluation.sampling.comparison import schedule_of
from latelier.evaluation.sampling.problem import Problem, relative_errors
from latelier.kernel.atelier import Atelier
from latelier.pipeline.request import NamedOptions

GROW, SHRINK = 1.5, 0.5
_FIRST_MOVE = 0.2
_LEAST_MOVE = 0.01
_LEAST_GAP = 1e-3


def tuned(
    problem: Problem,
    sampler: Sampler,
    starts: Sequence[SigmaGrid],
    exact: Tensor,
    rounds: int = 12,
    followed: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[SigmaGrid, float]:
    """Return the grid with which a sampler comes nearest to the exact ends, and its error there.

    The bounds of arXiv:2404.14507 are for any sampler and any samples; here the error itself is
    made small, of this sampler, on the starting points of the problem. The inner sigmas of the
    best of `starts` are moved one at a time: a move that helps is made larger the next time, one
    that does not is turned round and made smaller. The first sigma and the last stay.

    Args:
        problem: with starting points that no comparison uses, 16 at least: with fewer the
            schedule is theirs and not the model's.
        sampler: with its options.
        starts: grids to begin with, all of one number of steps.
        exact: (B, *shape), where each starting point must end.
        rounds: how often each sigma is moved at most; most is gained in the first ten.
        followed: how many of the starts are moved, the best first: each ends in a minimum near it.
        tell: is told the error after each round.
    """

    def error(grid: SigmaGrid) -> float:
        found = float(relative_errors(problem.solved(sampler, grid), exact).mean())
        return found if math.isfinite(found) else math.inf

    ranked = sorted(((error(start), start) for start in starts), key=lambda pair: pair[0])
    moved = [_descended(error, start, found, rounds, tell) for found, start in ranked[:followed]]
    found, grid = min(moved, key=lambda pair: pair[0])
    return grid, found


def _descended(
    error: Callable[[SigmaGrid], float],
    grid: SigmaGrid,
    best: float,
    rounds: int,
    tell: Callable[[str], None],
) -> tuple[float, SigmaGrid]:
    """Return the least error that moves of single sigmas lead to from a grid, and its grid."""
    moves = dict.fromkeys(range(1, grid.steps), _FIRST_MOVE)
    for index in range(rounds):
        for k in moves:
            for move in (moves[k], -moves[k]):
                moved = _moved(grid, k, move)
                found = math.inf if moved is None else error(moved)
                if moved is not None and found < best:
                    best, grid, moves[k] = found, moved, move * GROW
                    break
            else:
                moves[k] *= SHRINK
        tell(f"round {index + 1}, error {best:.4g}")
        if all(abs(move) < _LEAST_MOVE for move in moves.values()):
            break
    return best, grid


def starting_grids(problem: Problem, steps: int, atelier: Atelier) -> list[SigmaGrid]:
    """Return grids to begin with: those of `steps` that registered schedules make unasked."""
    found: list[SigmaGrid] = []
    for spec in atelier.schedules.specs():
        try:
            grid = schedule_of(NamedOptions(name=spec.id), problem, atelier)(steps)
        except InvalidInputError:  # it is for other processes, or needs options
            continue
        if grid.steps == steps and all(grid.sigmas != other.sigmas for other in found):
            found.append(SigmaGrid(grid.sigmas, grid.frame))
    return found


def _moved(grid: SigmaGrid, k: int, move: float) -> SigmaGrid | None:
    """Return the grid with log(sigma) of number k moved; None where it would meet another."""
    sigmas = list(grid.sigmas)
    sigmas[k] *= math.exp(move)
    highest = sigmas[k - 1] * (1 - _LEAST_GAP)
    lowest = sigmas[k + 1] * (1 + _LEAST_GAP)
    return SigmaGrid(tuple(sigmas), grid.frame) if lowest < sigmas[k] < highest else None
