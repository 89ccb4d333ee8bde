"""Votes that persons have given on the page of a comparison, counted together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from latelier.checkpoints.io.json_files import read_json_object
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen, validate
from latelier.metrics.wilson import wilson_interval


class Vote(Frozen):
    """The answer of a person to one pair."""

    prompt: str
    seed: int
    left: Literal[0, 1] = Field(description="number of the side that was on the left")
    preferred: Literal[0, 1] | None = Field(description="number of a side; null: no difference")


class Votes(Frozen):
    """The answers of a person, as the page writes them."""

    format: Literal["latelier-votes"]
    comparison: str = Field(description="the hash of what was compared")
    question: str
    models: tuple[str, str] = Field(description="names of the sides 0 and 1")
    votes: tuple[Vote, ...]

    def count(self, side: Literal[0, 1] | None) -> int:
        """Return how many votes prefer a side; None: neither."""
        return sum(vote.preferred == side for vote in self.votes)


def read_votes(paths: Sequence[Path]) -> list[Votes]:
    """Return the votes of files, all of one comparison.

    Raises:
        LatelierError: a file cannot be read, or holds something else.
        InvalidInputError: two files are of different comparisons, or a file is given twice.
    """
    for k, path in enumerate(paths):
        if path.resolve() in (other.resolve() for other in paths[:k]):
            raise InvalidInputError(f"{path}: is given twice; each person's votes count once")
    read = [validate(Votes, read_json_object(path), str(path), InvalidInputError) for path in paths]
    for path, votes in zip(paths, read, strict=True):
        if votes.comparison != read[0].comparison:
            raise InvalidInputError(
                f"{path}: these votes are of another comparison ({votes.comparison}) than those "
                f"of {paths[0]} ({read[0].comparison})"
            )
    return read


class Preference(Frozen):
    """How often a model was preferred.

    Attributes:
        model: its name.
        preferred: answers that prefer it.
        decided: answers that prefer one of the two.
        share: preferred / decided; None without any.
        low: lower end of the 95 % interval of the share (Wilson).
        high: upper end of it.
    """

    model: str
    preferred: int
    decided: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


def count_preferences(read: Sequence[Votes]) -> list[Preference]:
    """Return the preference for each of the two models, from votes of one comparison.

    The intervals take all answers for independent, which those of one person are not quite.
    """
    counts = [sum(votes.count(side) for votes in read) for side in (0, 1)]
    decided = sum(counts)
    if decided == 0:
        return [Preference(model=name, preferred=0, decided=0) for name in read[0].models]
    preferences = []
    for name, count in zip(read[0].models, counts, strict=True):
        low, high = wilson_interval(count, decided)
        preferences.append(
            Preference(
                model=name,
                preferred=count,
                decided=decided,
                share=count / decided,
                low=low,
                high=high,
            )
        )
    return preferences
