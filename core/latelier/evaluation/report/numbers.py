"""Figures as text."""

from math import isfinite

from latelier.contracts.measures import Figure

ARROWS = {"lower": "↓", "higher": "↑"}
"""Which values are better -> the arrow behind a title."""


def format_value(figure: Figure) -> str:
    """Return the value of a figure with its unit."""
    text = format_number(figure.value)
    return f"{text} {figure.unit}" if figure.unit else text


def format_interval(figure: Figure) -> str:
    """Return the 95 % interval of a figure, "11.8 to 12.9"; "" without one."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{format_number(figure.low)} to {format_number(figure.high)}"


def format_number(value: float) -> str:
    """Return a number with four significant digits."""
    if not isfinite(value):
        return {"inf": "∞", "-inf": "-∞"}.get(str(value), "-")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
