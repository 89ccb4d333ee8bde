"""The sigmas of a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import overload

from latelier.contracts import frames
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frames import FrameOfReference


@dataclass(frozen=True)
class SigmaGrid:
    """The sigmas of a run, from the first to the last: iterable, indexable, and of a length.

    They are Python floats: reading one from a tensor at each step costs more than a whole step.

    Attributes:
        sigmas: `steps + 1` strictly decreasing sigmas, the last of them usually 0.
        frame: the frame of reference that they belong to.

    Raises:
        InvalidInputError: there are fewer than two sigmas, they do not decrease, or one lies
            outside the frame.
    """

    sigmas: tuple[float, ...]
    frame: FrameOfReference

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigmas", tuple(float(sigma) for sigma in self.sigmas))
        if len(self.sigmas) < 2:
            raise InvalidInputError(f"a run needs at least two sigmas, not {len(self.sigmas)}")
        for i, (sigma, sigma_next) in enumerate(pairwise(self.sigmas)):
            if not sigma > sigma_next:
                raise InvalidInputError(
                    f"sigmas must decrease: number {i} is {sigma:g}, number {i + 1} {sigma_next:g}"
                )
        highest = 1.0 if self.frame == "flow" else float("inf")
        if self.sigmas[-1] < 0 or self.sigmas[0] > highest or self.sigmas[0] == float("inf"):
            raise InvalidInputError(
                f"sigmas of the '{self.frame}' frame lie between 0 and {highest:g}, "
                f"not {self.sigmas[-1]:g} and {self.sigmas[0]:g}"
            )

    def __iter__(self) -> Iterator[float]:
        return iter(self.sigmas)

    def __len__(self) -> int:
        return len(self.sigmas)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        return self.sigmas[index]

    @property
    def steps(self) -> int:
        """Number of steps: one less than there are sigmas."""
        return len(self.sigmas) - 1

    def last(self, steps: int) -> "SigmaGrid":
        """Return the sigmas of the last `steps` steps."""
        return SigmaGrid(self.sigmas[self.steps - steps :], self.frame)

    def alpha(self, sigma: float) -> float:
        """Return the factor of x0 in x at `sigma`."""
        return frames.alpha(self.frame, sigma)

    def half_log_snr(self, sigma: float) -> float:
        """Return log(alpha / sigma); see `frames.half_log_snr`."""
        return frames.half_log_snr(self.frame, sigma)
