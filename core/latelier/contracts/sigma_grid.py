"""The sigmas of a run."""

from dataclasses import dataclass
from itertools import pairwise

from latelier.contracts import frames
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frames import FrameOfReference


@dataclass(frozen=True)
class SigmaGrid:
    """`steps + 1` strictly decreasing sigmas, the last usually 0, in a frame.

    They are Python floats: reading one from a tensor at each step costs more than a whole step.

    Raises:
        InvalidInputError: fewer than two sigmas, one out of the frame, or they do not decrease.
    """

    sigmas: tuple[float, ...]
    frame: FrameOfReference

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigmas", tuple(float(sigma) for sigma in self.sigmas))
        if len(self.sigmas) < 2:
            raise InvalidInputError(f"a grid needs at least two sigmas, not {len(self.sigmas)}")
        for i, (sigma, following) in enumerate(pairwise(self.sigmas)):
            if not sigma > following:
                raise InvalidInputError(
                    f"sigmas must decrease: number {i} is {sigma:g}, number {i + 1} {following:g}"
                )
        highest = 1.0 if self.frame == "flow" else float("inf")
        if self.sigmas[-1] < 0 or self.sigmas[0] > highest or self.sigmas[0] == float("inf"):
            raise InvalidInputError(
                f"sigmas of the {self.frame} frame lie between 0 and {highest:g}, "
                f"not {self.sigmas[-1]:g} and {self.sigmas[0]:g}"
            )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.sigmas) - 1

    def alpha(self, sigma: float) -> float:
        """Return the factor of x0 in x at `sigma`."""
        return frames.alpha(self.frame, sigma)

    def log_snr(self, sigma: float) -> float:
        """Return log(alpha / sigma); see `frames.log_snr`."""
        return frames.log_snr(self.frame, sigma)
