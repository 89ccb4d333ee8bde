"""Records the pictures of an evaluation: computes the chunks that its folder does not have."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.records.chunk import Unusable, chunk_path, read_header
from latelier.evaluation.run.chunks import check_unusable
from latelier.evaluation.run.evaluation import Evaluation
from latelier.evaluation.run.folder import CHUNKS, read_stored
from latelier.evaluation.run.processes import Compute, compute_here
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier

Track = Callable[[Iterator[int], str, int, int], Iterable[int]]
"""Shows progress: of numbers of pictures that are finished, a title, how many were before, and how
many there are; yields the numbers."""


@dataclass(frozen=True)
class Part:
    """A share of the chunks, counted from 1: those of `number` of `total` machines."""

    number: int = 1
    total: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Return the part of a text such as "1/2".

        Raises:
            InvalidInputError: it is none.
        """
        number, slash, total = text.partition("/")
        if slash and number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total):
            return cls(int(number), int(total))
        raise InvalidInputError(f"part: expected a part such as 1/2, got {text!r}")

    def numbers(self, count: int) -> range:
        """Return the numbers of its chunks, of `count` ones.

        Raises:
            InvalidInputError: there are more parts than chunks.
        """
        if self.total > count:
            chunks = "1 chunk" if count == 1 else f"{count} chunks"
            raise InvalidInputError(
                f"part: {self.number}/{self.total} is one of more parts than there are chunks of "
                f"pictures: {chunks}; use fewer parts, or smaller chunks (chunk_size)"
            )
        return range(self.number - 1, count, self.total)


def track_nothing(done: Iterator[int], title: str, before: int, total: int) -> Iterator[int]:  # noqa: ARG001
    """Show no progress."""
    return done


@dataclass(frozen=True)
class Resources:
    """What computes an evaluation. It does not change the results.

    Attributes:
        compute: computes and stores chunks: here, in processes, or on other machines.
        part: the chunks that are computed.
        track: shows progress.
        atelier: has the components; other processes have that of their own installation.
    """

    compute: Compute = compute_here
    part: Part = Part()
    track: Track = track_nothing
    atelier: Atelier = field(default_factory=default_atelier)


def record(evaluation: Evaluation, resources: Resources, title: str) -> tuple[Unusable, ...]:
    """Compute and store the chunks of a part that are missing; return all unusable samples.

    The folder is held (see `hold_folder`).

    Raises:
        DataError: more samples are unusable than the configuration allows.
        LatelierError: see `compute_chunk`.
        OSError: a file cannot be written.
        KeyboardInterrupt: with a message that says how many pictures are stored.
    """
    numbers = resources.part.numbers(evaluation.chunk_count)
    stored = read_stored(evaluation.config.out, evaluation)
    unusable = [each for header in stored.values() for each in header.unusable]
    check_unusable(evaluation, unusable)
    missing = [number for number in numbers if number not in stored]
    done = sum(len(evaluation.indices(number)) for number in numbers if number in stored)
    total = sum(len(evaluation.indices(number)) for number in numbers)
    try:
        with closing(_compute(evaluation, resources, missing, unusable)) as finished:
            for count in resources.track(finished, title, done, total):
                done += count
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{done:,} of {total:,} {title} are stored; the same command goes on with them"
        ) from None
    return tuple(unusable)


def _compute(
    evaluation: Evaluation, resources: Resources, missing: list[int], unusable: list[Unusable]
) -> Generator[int]:
    """Compute chunks; yield the number of samples of each, and collect those that are unusable."""
    folder, identity = evaluation.config.out, evaluation.identity
    computed = resources.compute(evaluation, folder, missing, identity)
    with closing(computed):  # which ends other processes at once, also after an error
        for number in computed:
            unusable += read_header(chunk_path(folder / CHUNKS, number)).unusable
            check_unusable(evaluation, unusable)
            yield len(evaluation.indices(number))
