"""Two files of results, case by case."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.harness.results import CaseResult, Results, Spread


@dataclass(frozen=True)
class Change:
    """What a variant of the second file takes of what it takes in the first.

    Attributes:
        case: its name.
        variant: its name; a kernel where `unit` is GFLOP/s.
        unit: of the values.
        before: in the first file.
        after: in the second.
        ratio: of the medians; its quartiles are the widest that those of both files allow.
    """

    case: str
    variant: str
    unit: str
    before: float
    after: float
    ratio: Spread

    @property
    def is_resolved(self) -> bool:
        """Whether the quartiles of the two files do not overlap."""
        return not self.ratio.low <= 1 <= self.ratio.high


def compare(first: Results, second: Results) -> Iterator[Change]:
    """Yield the changes of all cases that both files have, with the ceilings of each case.

    Ceilings tell what of a change is that of the machine.
    """
    for name, before in first.cases.items():
        after = second.cases.get(name)
        if after is None:
            continue
        yield from _compare_variants(before, after)
        for kernel in before.ceilings.keys() & after.ceilings.keys():
            values = before.ceilings[kernel], after.ceilings[kernel]
            ratio = values[1] / values[0]
            exact = Spread(median=ratio, low=ratio, high=ratio)
            yield Change(name, f"ceiling, {kernel}", "GFLOP/s", *values, exact)


def _compare_variants(before: CaseResult, after: CaseResult) -> Iterator[Change]:
    for variant, old in before.variants.items():
        new = after.variants.get(variant)
        if new is None or old.spread.low <= 0:
            continue
        ratio = Spread(
            median=new.spread.median / old.spread.median,
            low=new.spread.low / old.spread.high,
            high=new.spread.high / old.spread.low,
        )
        yield Change(before.name, variant, old.unit, old.spread.median, new.spread.median, ratio)
