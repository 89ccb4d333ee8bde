"""How the rows of a step are split among processes and micro-batches.

A training is a sequence of positions: step * batch_size + row. Random numbers are functions of the
position, so weights do not depend on how the rows of a step are split.
"""

from dataclasses import dataclass

from latelier.contracts.errors import InvalidConfigError


@dataclass(frozen=True)
class BatchSplit:
    """How the global batch of a step is split among processes, and then into micro-batches.

    Attributes:
        batch_size: Samples of one step, of all processes together.
        accumulate: Micro-batches of each process.
        ranks: Number of processes.
        rank: This process, from 0.
    """

    batch_size: int
    accumulate: int = 1
    ranks: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        parts = self.ranks * self.accumulate
        if self.batch_size % parts:
            raise InvalidConfigError(
                f"batch_size: {self.batch_size} cannot be split evenly among {self.ranks} "
                f"processes with {self.accumulate} micro-batches each (accumulate); "
                f"expected a multiple of {parts}"
            )

    @property
    def micro_batch_size(self) -> int:
        """Samples of one micro-batch."""
        return self.batch_size // (self.ranks * self.accumulate)

    def select_positions(self, step: int) -> list[list[int]]:
        """Return the positions of each micro-batch of this process in a step.

        The process takes every `ranks`-th row, so that all get equal shares of a sorted batch.
        """
        first = step * self.batch_size
        rows = range(first + self.rank, first + self.batch_size, self.ranks)
        size = self.micro_batch_size
        return [list(rows[start : start + size]) for start in range(0, len(rows), size)]
