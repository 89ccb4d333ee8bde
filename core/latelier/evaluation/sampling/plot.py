"""A plot of errors by calls of the model."""

from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.sampling.comparison import Measurement

NO_MATPLOTLIB = "a plot needs matplotlib: pip install 'latelier[plot]'"


def is_available() -> bool:
    """Return whether matplotlib, which draws the plot, is installed."""
    return find_spec("matplotlib") is not None


def plot(measured: Sequence[Measurement], path: Path) -> None:
    """Draw a line for each sampler and schedule, on logarithmic axes.

    Args:
        measured: of one problem.
        path: the file to write, whose suffix chooses the format.

    Raises:
        InvalidInputError: matplotlib is not installed.
    """
    if not is_available():
        raise InvalidInputError(NO_MATPLOTLIB)
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    lines: dict[str, list[Measurement]] = defaultdict(list)
    for each in measured:
        lines[f"{each.sampler}, {each.schedule}"].append(each)
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes: Any = figure.subplots()
    palette: Any = colormaps["tab20"]
    axes.set_prop_cycle(color=palette.colors, marker=["o", "x"] * (len(palette.colors) // 2))
    for name, points in sorted(lines.items(), key=lambda line: line[1][-1].error):
        points.sort(key=lambda each: each.nfe)
        axes.loglog([each.nfe for each in points], [each.error for each in points], label=name)
    budgets = sorted({each.budget for each in measured})
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
    axes.minorticks_off()
    axes.set(xlabel="calls of the model", ylabel="relative L2 error", title=measured[0].problem)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="x-small", ncols=2)
    figure.savefig(path)
