"""Records in memory: of pictures that are few, and of tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from latelier.contracts.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class MemoryRecords:
    """Columns in memory.

    Attributes:
        columns: name -> (N, ...).
        count: N.
        chunk_size: pictures of a chunk.
        network: name of the network of the features.
    """

    columns: Mapping[str, Tensor]
    count: int
    chunk_size: int
    network: str = "random features"

    def column(self, name: str, /) -> Tensor:
        """Return a column.

        Raises:
            InvalidInputError: there is no such column.
        """
        if name not in self.columns:
            raise InvalidInputError(
                f"there is no column '{name}', which the network '{self.network}' does not give, "
                f"only {', '.join(self.columns)}"
            )
        return self.columns[name]

    def chunks(self, *names: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the columns a chunk at a time.

        Raises:
            InvalidInputError: there is no such column.
        """
        for start in range(0, self.count, self.chunk_size):
            yield tuple(self.column(name)[start : start + self.chunk_size] for name in names)
