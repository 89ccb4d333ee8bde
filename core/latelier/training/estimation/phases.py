"""The phases of a training, whose steps cost differently."""

from dataclasses import dataclass
from itertools import pairwise

from latelier.training.configs.training import Training


@dataclass(frozen=True)
class Phase:
    """Successive steps of a training that cost the same.

    Attributes:
        start: Its first step.
        end: The step after its last one.
        begins: The fields of the configuration that begin it, as dotted paths; none at step 0.
    """

    start: int
    end: int
    begins: tuple[str, ...]

    @property
    def steps(self) -> int:
        """The number of its steps."""
        return self.end - self.start


def split_phases(config: Training) -> list[Phase]:
    """Return the phases of a training, the first one first."""
    starts = config.starts()
    bounds = sorted({0, *starts.values(), config.steps})
    return [
        Phase(start, end, tuple(name for name, step in starts.items() if step == start))
        for start, end in pairwise(bounds)
    ]
