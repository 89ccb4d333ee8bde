"""A faultless schedule, and faulty ones made of it."""

from dataclasses import dataclass
from itertools import count

import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid


def ends(steps, process):
    if steps < 1:
        raise InvalidInputError(f"a run has 1 step or more, not {steps}")
    return process.sigma_max, process.sigma_min


def geometric(steps, process, /):
    """Faultless."""
    high, low = ends(steps, process)
    ratio = (low / high) ** (1 / max(steps - 1, 1))
    return SigmaGrid((*(min(high, high * ratio**k) for k in range(steps)), 0.0), process.frame)


def asks_in_vain(steps, process, /, *, geometry):
    del geometry
    return geometric(steps, process)


@dataclass(frozen=True)
class Loose:
    """A grid that checks nothing."""

    sigmas: tuple
    frame: str

    @property
    def steps(self):
        return len(self.sigmas) - 1


def made_of(steps, process, change):
    grid = geometric(steps, process)
    return Loose(tuple(change(list(grid.sigmas))), grid.frame)


def not_decreasing(steps, process, /):
    return made_of(steps, process, lambda s: [*s[:1], *s[:1], *s[2:]] if len(s) > 3 else s)


def one_too_many(steps, process, /):
    return geometric(steps + 1, process) if steps > 0 else geometric(steps, process)


def tensors(steps, process, /):
    return made_of(steps, process, lambda s: [torch.tensor(each) for each in s])


def beyond(steps, process, /):
    return made_of(steps, process, lambda s: [each * 1.01 for each in s])


def other_frame(steps, process, /):
    grid = geometric(steps, process)
    return Loose(grid.sigmas, {"ve": "flow", "flow": "ve"}[grid.frame])


_calls = count(1)


def another_each_time(steps, process, /):
    shrink = 1 - 1e-9 * next(_calls)
    return made_of(steps, process, lambda s: [s[0] * shrink, *s[1:]] if len(s) > 2 else s)


def fits_nothing(steps, process, /):
    ends(steps, process)
    raise InvalidInputError("this schedule is for another model; use the schedule 'karras'")


def naked_error(steps, process, /):
    if steps > 40:
        raise ValueError("too many")
    return geometric(steps, process)


def zero_steps(steps, process, /):
    return geometric(max(steps, 1), process)
