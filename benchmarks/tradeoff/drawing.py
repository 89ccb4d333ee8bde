"""The style of the figures: SVG on a background that is light or dark, as the reader's."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latelier.io.atomic import write_bytes

COLORS = {1: "#d64550", 2: "#d9792a", 4: "#2b9a5b", 8: "#1a97ad", 16: "#4f7ad8", 32: "#a061c6"}
"""Of the factors f: of a middle lightness, so that they are readable on both backgrounds."""

INK, SOFT, GRID, PAPER = "#22303c", "#6b7a88", "#e3e8ec", "#ffffff"
_DARK = {INK: "#e6edf3", SOFT: "#9aa7b4", GRID: "#2b3440", PAPER: "#0d1117"}
"""Colours on a light background -> those on a dark one."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "tradeoff",
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.labelcolor": SOFT,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}

_GAP = 0.048
"""Least distance between labels, as a share of the height of their axes."""


def make_figure(panels: int) -> tuple[Any, Sequence[Any]]:
    """Return a figure and its axes, side by side."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(10.5, 4.7), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
    return figure, axes


def use_plain_numbers(axis: Any) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, few enough for two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def set_title(axes: Any, title: str) -> None:
    """Write a title above the left end of the axes."""
    axes.set_title(title, loc="left", color=INK, fontsize=10, pad=10)


def label_ends(axes: Any, ends: Sequence[tuple[str, float, float, str]], x: float) -> None:
    """Write texts at x, beside the ends of lines; those that would overlap move apart.

    Args:
        axes: of the lines.
        ends: text, the end in data units, and colour.
        x: of all texts, in data units.
    """
    axes.autoscale_view()  # sets limits that are not set yet
    scale = axes.transScale + axes.transLimits
    heights = [float(scale.transform((x, end[2]))[1]) for end in ends]
    order = sorted(range(len(ends)), key=heights.__getitem__)
    for place, height in zip(order, spread(sorted(heights), _GAP), strict=True):
        text, *end, color = ends[place]
        to_label = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3}
        axes.annotate(
            text,
            end,
            (x, height),
            textcoords=("data", "axes fraction"),
            va="center",
            color=color,
            arrowprops=to_label | {"relpos": (0, 0.5)},
        )


_OFFSETS = (
    (7, 0), (6, 8), (6, -8), (0, 10), (0, -10), (-7, 0), (-6, 8), (-6, -8),
    (12, 16), (12, -16), (0, 18), (0, -18),
)  # fmt: skip
"""Places of a label around its point, in points, the best first."""


def label_points(
    axes: Any, labels: Sequence[tuple[str, Sequence[tuple[float, float]], str]]
) -> None:
    """Write texts beside points, where they cover neither another text nor a line.

    Args:
        axes: of the points.
        labels: text, the points that it may stand beside, the best first, and colour.
    """
    axes.figure.draw_without_rendering()  # gives the axes their place
    lines = [_fill(axes.transData.transform(line.get_xydata())) for line in axes.lines]
    covered: list[Any] = []
    for text, points, color in labels:
        tried = [
            _annotate(axes, text, point, offset, color) for point in points for offset in _OFFSETS
        ]
        boxes = [each.get_window_extent() for each in tried]
        free = (
            number
            for number, box in enumerate(boxes)
            if not any(map(box.overlaps, covered)) and not any(map(box.count_contains, lines))
        )
        chosen = next(free, 0)
        covered.append(boxes[chosen])
        for number, each in enumerate(tried):
            if number != chosen:
                each.remove()


def _annotate(
    axes: Any, text: str, point: tuple[float, float], offset: tuple[int, int], color: str
) -> Any:
    """Write a text beside a point, on the side of the offset."""
    side = "left" if offset[0] > 0 else "right" if offset[0] < 0 else "center"
    place: dict[str, Any] = {"textcoords": "offset points", "ha": side, "va": "center"}
    return axes.annotate(text, point, offset, color=color, **place)


def _fill(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points (N, 2) and others between them, about as dense as pixels."""
    places = np.arange(len(points), dtype=np.float64)
    between = np.linspace(0, len(points) - 1, 100 * len(points))
    return np.stack([np.interp(between, places, points[:, axis]) for axis in (0, 1)], 1)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return ascending heights in 0..1 that are `gap` apart, each as near to its own as may be.

    Those that are too near stand around their mean: neighbours join until no two overlap.
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _bottom(groups[-1], gap) < _top(groups[-2], gap) + gap:
            last = groups.pop()
            groups[-1] += last
    return [_bottom(group, gap) + gap * k for group in groups for k in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    """Return the height of the lowest label of a group, which stays inside 0..1."""
    extent = gap * (len(group) - 1)
    return min(max(sum(group) / len(group) - extent / 2, 0), 1 - extent)


def _top(group: Sequence[float], gap: float) -> float:
    return _bottom(group, gap) + gap * (len(group) - 1)


def write_figure(figure: Any, path: Path) -> None:
    """Write a figure as SVG, with other colours where the reader prefers a dark background."""
    from matplotlib import rc_context

    text = StringIO()
    with rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark}!important}}'
        for light, dark in _DARK.items()
        for part in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n <defs>"
    write_bytes(path, text.getvalue().replace("<defs>", style, 1).encode())
