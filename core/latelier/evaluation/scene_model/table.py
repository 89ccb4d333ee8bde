"""The table of a model card: each figure beside its goal, the first stage's and the scenes' own."""

from collections.abc import Iterator, Mapping

from latelier.evaluation.scene_model.conditions import CONDITIONS, Figure
from latelier.evaluation.scene_model.goals import Goal, format_value

Measured = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Values by part ("seen", "never_seen"), source ("model", "first_stage", "rendered") and name."""

PARTS = ("seen", "never_seen")
SOURCES = ("model", "first_stage", "rendered")

_HEAD = (
    "condition",
    "measure",
    "goal: seen / never seen",
    "seen",
    "never seen",
    "first stage: seen / never seen",
    "rendered: seen / never seen",
)


def to_table(measured: Mapping[str, Measured]) -> str:
    """Return what was measured of each condition as a Markdown table; "**" marks a missed goal."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---" * len(_HEAD) + "|"]
    for name, condition in CONDITIONS.items():
        for figure in condition.figures:
            cells = list(_cells(figure, measured.get(name, {})))
            if any(cell != "-" for cell in cells):
                row = (condition.title, figure.title, _goal_text(figure), *cells)
                lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def _cells(figure: Figure, measured: Measured) -> Iterator[str]:
    for part in PARTS:
        values = {source: _value(measured, part, source, figure.name) for source in SOURCES}
        yield _mark(figure, _goal(figure, part), values["model"], values["first_stage"])
    for source in SOURCES[1:]:
        both = [_value(measured, part, source, figure.name) for part in PARTS]
        texts = ["-" if each is None else format_value(each, figure.unit) for each in both]
        yield "-" if set(texts) == {"-"} else " / ".join(texts)


def _value(measured: Measured, part: str, source: str, name: str) -> float | None:
    return measured.get(part, {}).get(source, {}).get(name)


def _goal(figure: Figure, part: str) -> Goal | None:
    return figure.seen if part == "seen" else figure.never_seen


def _goal_text(figure: Figure) -> str:
    goals = (figure.seen, figure.never_seen)
    texts = ["-" if goal is None else goal.to_text(figure.unit) for goal in goals]
    return texts[0] if texts[0] == texts[1] else " / ".join(texts)


def _mark(figure: Figure, goal: Goal | None, value: float | None, first_stage: float | None) -> str:
    if value is None:
        return "-"
    text = format_value(value, figure.unit)
    if goal is None or goal.is_met(value, first_stage or 0.0):
        return text
    return f"**{text}**"
