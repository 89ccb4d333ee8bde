"""Goals of measures, and how they are written."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["%", "dB", "IoU", "distance"]
_FORMATS: dict[Unit, str] = {
    "%": "{:.1f} %",
    "dB": "{:.1f} dB",
    "IoU": "{:.3f}",
    "distance": "{:.3g}",
}


@dataclass(frozen=True)
class Goal:
    """A bound of a value.

    Attributes:
        bound: of the value, or of how far it may be from the first stage's own.
        kind: "at_least"; "below_first_stage": by at most `bound` less than the first stage's own;
            "times_first_stage": at most `bound` times the first stage's own.
    """

    bound: float
    kind: Literal["at_least", "below_first_stage", "times_first_stage"] = "at_least"

    def is_met(self, value: float, first_stage: float) -> bool:
        """Return whether a value meets the goal, given the first stage's own value."""
        if self.kind == "at_least":
            return value >= self.bound
        if self.kind == "below_first_stage":
            return value >= first_stage - self.bound
        return value <= self.bound * first_stage

    def to_text(self, unit: Unit) -> str:
        """Return the goal in words."""
        if self.kind == "at_least":
            return format_value(self.bound, unit)
        if self.kind == "below_first_stage":
            return f"within {format_value(self.bound, unit)}"
        return f"within {self.bound:g}x"


def format_value(value: float, unit: Unit) -> str:
    """Return a value with its unit; shares of 1 are written as per cent."""
    return _FORMATS[unit].format(100 * value if unit == "%" else value)
