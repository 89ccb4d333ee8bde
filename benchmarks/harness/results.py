"""The file of a run: the machine, and what was measured of each case."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

from pydantic import BaseModel, ValidationError

from benchmarks.harness.case import BenchmarkError


class Spread(BaseModel):
    """A median and its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of some values."""
        if len(values) == 1:
            return cls(median=values[0], low=values[0], high=values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median=median(values), low=low, high=high)


class VariantResult(BaseModel):
    """The samples of a variant, and how its output differs from that of the first variant."""

    unit: str
    samples: list[float]
    spread: Spread
    max_abs: float | None = None
    relative_l2: float | None = None


class GoalResult(BaseModel):
    """The value of a goal beside its bounds."""

    text: str
    unit: str
    spread: Spread
    is_met: bool
    at_least: float | None = None
    at_most: float | None = None

    @property
    def has_bound(self) -> bool:
        """Whether there is a bound; without one a value is only reported."""
        return self.at_least is not None or self.at_most is not None


class CaseResult(BaseModel):
    """What was measured of a case.

    Attributes:
        skipped: why it was not measured.
        ceilings: GFLOP/s of kernels, measured directly before.
        others: share of the processors that other processes used meanwhile.
    """

    name: str
    title: str
    commit: str
    date: str
    is_quick: bool = False
    skipped: str | None = None
    seconds: float = 0.0
    others: float | None = None
    ceilings: dict[str, float] = {}
    variants: dict[str, VariantResult] = {}
    goals: list[GoalResult] = []


class Results(BaseModel):
    """The content of a file."""

    machine: dict[str, str]
    cases: dict[str, CaseResult] = {}


def read_results(path: Path) -> Results:
    """Return the content of a file.

    Raises:
        BenchmarkError: it is missing or holds something else.
    """
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValidationError, UnicodeDecodeError):
        raise BenchmarkError(f"{path}: is no file of `python -m benchmarks run`") from None


def write_results(path: Path, results: Results) -> None:
    """Write a file, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    text = json.dumps(results.model_dump(exclude_none=True), indent=1)
    temporary.write_text(f"{text}\n", encoding="utf-8")
    temporary.replace(path)
