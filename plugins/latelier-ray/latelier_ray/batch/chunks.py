"""Chunks: rows whose pictures are stored together, known by their number."""

from collections.abc import Iterator
from dataclasses import dataclass

from latelier_ray.batch.requests import PictureRequest


@dataclass(frozen=True)
class Chunk:
    """Rows whose pictures are stored together.

    Attributes:
        number: of the chunk, from 0.
        requests: of its rows.
    """

    number: int
    requests: tuple[PictureRequest, ...]

    def __hash__(self) -> int:
        """Return the number: a chunk is known by it."""
        return self.number


def divide(requests: Iterator[PictureRequest], size: int) -> Iterator[Chunk]:
    """Yield chunks of requests; the last may be shorter."""
    number, rows = 0, list[PictureRequest]()
    for each in requests:
        rows.append(each)
        if len(rows) == size:
            yield Chunk(number, tuple(rows))
            number, rows = number + 1, []
    if rows:
        yield Chunk(number, tuple(rows))


def count_rows(number: int, size: int, total: int) -> int:
    """Return how many rows chunk `number` of a table has."""
    return min(size, total - number * size)
