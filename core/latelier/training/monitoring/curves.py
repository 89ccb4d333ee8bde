"""Curves of a run's log as a picture, if matplotlib is installed."""

from importlib.util import find_spec
from pathlib import Path

from latelier.io.atomic import atomic_file
from latelier.training.monitoring.log import read_log

_LEFT_OUT = {"step", "time", "images_per_second", "data_wait"}


def draw_curves(log: Path, path: Path) -> None:
    """Draw the losses and other terms of a log over the steps; without matplotlib do nothing."""
    if find_spec("matplotlib") is None or not log.exists():
        return
    curves = collect_curves(log)
    if not curves:
        return
    from matplotlib.figure import Figure

    columns = min(len(curves), 3)
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    for number, (name, (steps, values)) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.plot(steps, values)
        axes.set(title=name, xlabel="step")
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=100)


def collect_curves(log: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Return the steps and values of each term of a log, by its name."""
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for line in read_log(log):
        if "event" in line:
            continue
        for name, value in line.items():
            if name not in _LEFT_OUT:
                steps, values = curves.setdefault(name, ([], []))
                steps.append(line["step"])
                values.append(value)
    return curves
