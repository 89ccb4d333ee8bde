"""Numbers as people read them."""

from benchmarks.harness.results import GoalResult, Spread

_SECONDS = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (0.0, "µs", 1e6))
"""Least seconds, unit, units in a second."""


def format_value(value: float, unit: str) -> str:
    """Return a value with its unit, to three digits."""
    if unit == "s":
        least = next(each for each in _SECONDS if value >= each[0])
        return f"{round_to_three(value * least[2])} {least[1]}"
    if unit == "x":
        return f"{value:.2f}x"
    if unit == "%":
        return f"{value:.0%}"
    return f"{round_to_three(value)} {unit}".strip()


def format_spread(spread: Spread, unit: str) -> str:
    """Return the quartiles with their unit; a dash where they are the median."""
    if spread.low == spread.high:
        return "–"
    return f"{format_value(spread.low, unit)} to {format_value(spread.high, unit)}"


def format_bound(goal: GoalResult) -> str:
    """Return the bounds of a goal; a dash for a number without one."""
    bounds = (("at least", goal.at_least), ("at most", goal.at_most))
    found = [f"{text} {format_value(bound, goal.unit)}" for text, bound in bounds if bound]
    if goal.at_most == 0:
        found.append(f"0 {goal.unit}".strip())
    return ", ".join(found) or "–"


def round_to_three(value: float) -> str:
    """Return a number of three digits, or of all its digits before the point."""
    if abs(value) < 1:
        return f"{value:.3g}"
    decimals = max(0, 3 - len(str(int(abs(value)))))
    return f"{value:,.{decimals}f}"
