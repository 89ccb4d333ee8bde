"""What a cache holds of what it should."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CacheState:
    """What a cache holds of what it should.

    Attributes:
        wanted: Number of views of the configuration, or of values of a conditioner's input.
        present: How many of them the cache holds.
        written: How many were written now.
        stale: Those that it holds and the configuration does not need.
        unusable: Reason for each sample that cannot be used, by name.
        conditions: State of each conditioner's outputs that are stored for each view, by name.
    """

    wanted: int
    present: int
    written: int
    stale: int
    unusable: dict[str, str]
    conditions: Mapping[str, "CacheState"] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether training can use it."""
        return self.present == self.wanted and all(
            each.is_complete for each in self.conditions.values()
        )
