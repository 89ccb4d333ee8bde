"""Error against calls of the model, drawn."""

from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.sampling.comparison import Measured


def check_plotting() -> None:
    """Check that plots can be drawn, before what they show is worked out.

    Raises:
        InvalidInputError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise InvalidInputError("a plot needs matplotlib: pip install 'latelier[plot]'")


def plot(measured: Sequence[Measured], path: Path) -> None:
    """Draw a line for each sampler and schedule, both axes logarithmic; the suffix says how.

    Raises:
        InvalidInputError: matplotlib is not installed.
    """
    check_plotting()
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    lines: dict[str, list[Measured]] = defaultdict(list)
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
