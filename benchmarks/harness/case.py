"""What a benchmark is: a case with variants that are measured in turn, and goals."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness.goal import Goal

if TYPE_CHECKING:
    from torch import Tensor


class SkipError(Exception):
    """A case cannot be measured on this machine; the message says why."""


class BenchmarkError(Exception):
    """A wrong name, or a file that cannot be used: for the command line."""


@dataclass(frozen=True)
class Sample:
    """One measurement of a variant.

    Attributes:
        value: in the unit of the variant.
        output: what the variant computed, to be compared with that of the first variant.
    """

    value: float
    output: "Tensor | None" = None


@dataclass(frozen=True)
class Variant:
    """One of the ways that a case compares.

    Attributes:
        take: measures it once.
        unit: of the values: s, MiB, dB or none.
    """

    take: Callable[[], Sample]
    unit: str = "s"


@dataclass(frozen=True)
class Setup:
    """What the variants of a case are made with.

    Attributes:
        stack: closes what the variants need, after the last measurement.
        is_quick: whether this run only tries the case; one that is long by itself does less.
    """

    stack: ExitStack
    is_quick: bool = False


@dataclass(frozen=True)
class Case:
    """A comparison that is measured in one process.

    Attributes:
        name: on the command line and in files.
        title: human-readable.
        variants: makes the variants by name; may raise `SkipError`.
        goals: what the measurements should reach.
        rounds: times that each variant is measured.
        warmups: rounds before these that are not recorded.
    """

    name: str
    title: str
    variants: Callable[[Setup], Mapping[str, Variant]]
    goals: tuple[Goal, ...] = ()
    rounds: int = 7
    warmups: int = 1
