"""The picture of a report: how far each value is from its goal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.formatting import format_bound, format_value
from benchmarks.harness.results import GoalResult, Results

LIMIT = 4.0
"""Values further from their goal than this factor are drawn at the edge, as arrows."""

MET, MISSED, INK, SOFT, GRID = "#0b7a75", "#c8553d", "#22303c", "#6b7a88", "#e3e8ec"


@dataclass(frozen=True)
class Mark:
    """A goal in the picture.

    Attributes:
        case: title of its case.
        goal: with the value.
        share: the value relative to the bound; above 1 it is better than the goal.
        low, high: the quartiles, likewise.
    """

    case: str
    goal: GoalResult
    share: float
    low: float
    high: float


def find_marks(results: Results) -> list[Mark]:
    """Return the goals that a picture can show: those with a bound and a value above 0."""
    marks = []
    for case in results.cases.values():
        for goal in case.goals:
            bound = goal.at_least or goal.at_most
            if not bound or goal.spread.low <= 0:
                continue
            spread = goal.spread
            shares = [each / bound for each in (spread.median, spread.low, spread.high)]
            if goal.at_least is None:
                shares = [1 / share for share in shares]
            marks.append(Mark(case.title, goal, shares[0], min(shares[1:]), max(shares[1:])))
    return marks


def plot(results: Results, path: Path) -> None:
    """Write the picture as SVG: a row for each goal, on a logarithmic axis of value over goal."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    marks = find_marks(results)
    style: Any = {
        "font.family": "DejaVu Sans",
        "svg.fonttype": "path",
        "svg.hashsalt": "benchmarks",
    }
    with rc_context(style):
        figure = Figure(figsize=(10, 1.5 + 0.44 * max(1, len(marks))), layout="constrained")
        axes: Any = figure.subplots()
        _draw_frame(axes, marks)
        for row, mark in enumerate(marks):
            _draw_mark(axes, row, mark)
        figure.suptitle(
            results.machine.get("processor", ""), x=0.01, ha="left", fontsize=9, color=SOFT
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def _draw_frame(axes: Any, marks: list[Mark]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlim(1 / LIMIT / 1.1, LIMIT * 1.1)
    axes.set_ylim(len(marks) - 0.4, -0.6)
    ticks = {
        0.25: "1/4",
        0.5: "1/2",
        0.75: "3/4",
        1: "goal",
        1.5: "1.5x",
        2: "2x",
        3: "3x",
        4: "4x",
    }
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_major_formatter(FixedFormatter(list(ticks.values())))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="both", which="both", length=0, labelcolor=SOFT, labelsize=9)
    axes.grid(axis="x", which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvline(1, color=INK, linewidth=1.4)
    axes.set_xlabel("relative to the goal; to the right is better", fontsize=9, color=SOFT)
    axes.set_yticks(range(len(marks)), [f"{mark.case}\n{mark.goal.text}" for mark in marks])
    for label in axes.get_yticklabels():
        label.set(color=INK, fontsize=8.5, linespacing=1.25)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_mark(axes: Any, row: int, mark: Mark) -> None:
    color = MET if mark.goal.is_met else MISSED
    share, low, high = (
        min(max(each, 1 / LIMIT), LIMIT) for each in (mark.share, mark.low, mark.high)
    )
    symbol = "o" if share == mark.share else ">" if share > 1 else "<"
    bar = {"color": color, "linewidth": 7, "alpha": 0.22, "solid_capstyle": "butt"}
    axes.plot([1, share], [row, row], **bar)
    axes.plot([low, high], [row, row], color=color, linewidth=2.2)
    axes.plot([share], [row], marker=symbol, markersize=8, color=color)
    value = format_value(mark.goal.spread.median, mark.goal.unit)
    axes.annotate(
        f"{value}  (goal {format_bound(mark.goal)})",
        (1.01, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=9,
        color=color,
        fontweight="normal" if mark.goal.is_met else "bold",
        annotation_clip=False,
    )
