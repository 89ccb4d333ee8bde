"""The figures of the study, as the paper's Figures 6 and 7."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tradeoff.drawing import (
    COLORS,
    SOFT,
    label_ends,
    label_points,
    make_figure,
    set_title,
    use_plain_numbers,
    write_figure,
)
from benchmarks.tradeoff.results import Estimate, ModelResult, Results
from benchmarks.tradeoff.study import SAMPLING_STEPS

DISTANCE = "Fréchet distance of scene features (lower is better)"
NAMED = "Pictures whose object the detector names, %"

_SMALL: dict[str, Any] = {"color": SOFT, "fontsize": 8, "textcoords": "offset points"}


def plot_progress(results: Results, path: Path) -> None:
    """Draw Figure 6: quality against the progress of the training."""
    models = [model for model in results.models if model.progress]
    last = max((point.step for model in models for point in model.progress), default=1)
    figure, (left, right) = make_figure(2)
    left.set_yscale("log")
    use_plain_numbers(left.yaxis)
    for axes, name, scale, width in ((left, "frechet", 1, 1.53), (right, "named", 100, 1.33)):
        ends = []
        for model in models:
            steps = [point.step for point in model.progress]
            values = [getattr(point, name) for point in model.progress]
            _draw(axes, model, steps, values, scale)
            end = (steps[-1], scale * values[-1].value)
            ends.append((_title(model), *end, COLORS[model.factor]))
        if axes is left:
            _mark_first_stages(left, results, models, 1.45 * last)
        else:
            right.set_ylim(bottom=0)
        axes.set_xlim(0, width * last)
        ticks = [last * k / 4 for k in range(5)]
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.set_xlabel("training steps, each of the same arithmetic for all models")
        axes.grid(visible=False, axis="x")
        label_ends(axes, ends, 1.06 * last)
    set_title(left, DISTANCE)
    set_title(right, NAMED)
    write_figure(figure, path)


def _mark_first_stages(
    axes: Any, results: Results, models: Sequence[ModelResult], x: float
) -> None:
    """Mark what each first stage reaches with latents of real scenes, and the scenes themselves."""
    distances = [model.reconstruction.frechet.value for model in models]
    for model, distance in zip(models, distances, strict=True):
        axes.plot(x, distance, **_look(model) | {"marker": "D", "markerfacecolor": "none"})
    top = (x, max(distances, default=1))
    axes.annotate("first stage\nalone", top, (0, 7), ha="center", **_SMALL)
    real = results.real.frechet.value
    axes.axhline(real, color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
    axes.annotate("real scenes", (0, real), (4, 3), **_SMALL)


def plot_throughput(results: Results, path: Path) -> None:
    """Draw Figure 7: quality against pictures a second, for several numbers of sampling steps."""
    models = [model for model in results.models if model.sampling and model.per_second]
    figure, (axes,) = make_figure(1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    use_plain_numbers(axes.xaxis)
    use_plain_numbers(axes.yaxis)
    axes.margins(x=0.09)
    labels, slowest = [], []
    for model in models:
        speeds = [model.per_second[point.sampling_steps] for point in model.sampling]
        values = [point.frechet for point in model.sampling]
        _draw(axes, model, speeds, values)
        ends = [(speeds[place], values[place].value) for place in (0, -1)]
        labels.append((_title(model), ends, COLORS[model.factor]))
        if model.kind != "vq":
            slowest.append(ends[-1])
    if slowest:
        look: dict[str, Any] = {"linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 1}
        axes.plot(*zip(*slowest, strict=True), color=SOFT, **look)
    label_points(axes, labels)
    axes.set_xlabel(
        f"pictures a second, decoding included; points from right to left: "
        f"{', '.join(map(str, SAMPLING_STEPS))} steps of DDIM; grey: {SAMPLING_STEPS[-1]} steps"
    )
    set_title(axes, DISTANCE)
    write_figure(figure, path)


def _draw(
    axes: Any, model: ModelResult, x: Sequence[float], values: Sequence[Estimate], scale: float = 1
) -> None:
    """Draw the line of a model, and the 95 % intervals of its points."""
    axes.plot(x, [scale * each.value for each in values], **_look(model))
    bounds = [(at, each.low, each.high) for at, each in zip(x, values, strict=True)]
    for at, low, high in bounds:
        if low is not None and high is not None:
            axes.vlines(at, scale * low, scale * high, color=COLORS[model.factor], linewidth=1)


def _title(model: ModelResult) -> str:
    return model.name.upper()


def _look(model: ModelResult) -> dict[str, Any]:
    """Return the look of the line of a model: dashed with a codebook."""
    return {
        "color": COLORS[model.factor],
        "linewidth": 2 if model.kind != "vq" else 1.4,
        "linestyle": "-" if model.kind != "vq" else (0, (3, 1.5)),
        "marker": "o",
        "markersize": 4.5,
    }
