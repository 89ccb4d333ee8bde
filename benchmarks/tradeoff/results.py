"""The numbers of the study, read from its evaluations."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import Field

from benchmarks.tradeoff.configs import configure_denoiser
from benchmarks.tradeoff.evaluations import (
    configure_pictures,
    configure_real,
    configure_reconstructions,
    list_points,
    results_file,
)
from benchmarks.tradeoff.models import MODELS, Model
from benchmarks.tradeoff.study import MEASURED, PROGRESS_STEPS, Study
from benchmarks.tradeoff.throughput import throughput_file
from latelier.checkpoints.io.json_files import read_json_object
from latelier.contracts.frozen import Frozen
from latelier.evaluation.protocol.config import EvaluationConfig


class Estimate(Frozen):
    """A value and its 95 % interval.

    Attributes:
        value: The value.
        low: Lower end; None where there are too few pictures.
        high: Upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


class Quality(Frozen):
    """Of a set of pictures.

    Attributes:
        frechet: Fréchet distance of the scene detector's features to those of real scenes.
        named: Share of the pictures whose object the detector names right.
    """

    frechet: Estimate
    named: Estimate


class Reconstruction(Quality):
    """Of the first stage of a model, on held-out scenes.

    Attributes:
        psnr: In dB.
        ssim: At most 1.
        perceptual: Distance of the scene detector's features.
    """

    psnr: Estimate
    ssim: Estimate
    perceptual: Estimate


class Point(Quality):
    """Of pictures that a model generates.

    Attributes:
        step: Of the training.
        sampling_steps: Of DDIM.
    """

    step: int
    sampling_steps: int


class ModelResult(Frozen):
    """Of a model of the study.

    Attributes:
        name: Of the model.
        factor: f.
        kind: Of the first stage.
        numbers: In the latents of a picture.
        batch: Samples of a training step.
        learning_rate: Of the denoiser.
        reconstruction: Of the first stage alone.
        progress: Points of Figure 6.
        sampling: Points of Figure 7, at the end of the training.
        per_second: Pictures a second by the number of sampling steps.
    """

    name: str
    factor: int
    kind: str
    numbers: int
    batch: int
    learning_rate: float
    reconstruction: Reconstruction
    progress: tuple[Point, ...] = ()
    sampling: tuple[Point, ...] = ()
    per_second: dict[int, float] = Field(default_factory=dict)


class Results(Frozen):
    """Of the study.

    Attributes:
        study: The fields of `Study` but for its folder.
        real: Of as many real scenes as a set has pictures.
        models: Those whose denoiser is trained, in the order of `MODELS`.
    """

    study: dict[str, int]
    real: Quality
    models: tuple[ModelResult, ...]


def read_results(study: Study) -> Results:
    """Return the numbers of all that is measured up to now."""
    models = [
        model for model in MODELS if results_file(configure_reconstructions(study, model)).exists()
    ]
    return Results(
        study={name: value for name, value in asdict(study).items() if name != "out"},
        real=Quality(**_read_quality(configure_real(study))),
        models=tuple(_read_model(study, model) for model in models),
    )


def _read_model(study: Study, model: Model) -> ModelResult:
    points = list(_read_points(study, model))
    last = max((point.step for point in points), default=0)
    path = throughput_file(study, model)
    speeds = read_json_object(path) if path.exists() else {}
    return ModelResult(
        name=model.name,
        factor=model.factor,
        kind=model.kind,
        numbers=model.channels * model.latent_side**2,
        batch=model.batch,
        learning_rate=configure_denoiser(study, model).optimizer.lr,
        reconstruction=_read_reconstruction(configure_reconstructions(study, model)),
        progress=tuple(point for point in points if point.sampling_steps == PROGRESS_STEPS),
        sampling=tuple(point for point in points if point.step == last),
        per_second={int(steps): speed for steps, speed in speeds.items()},
    )


def _read_points(study: Study, model: Model) -> Iterator[Point]:
    for step, steps in list_points(study, model, MEASURED):
        config = configure_pictures(study, model, step, steps)
        if results_file(config).exists():
            yield Point(**_read_quality(config), step=step, sampling_steps=steps)


def _read_reconstruction(config: EvaluationConfig) -> Reconstruction:
    figures = _read_figures(config)
    names = {"psnr": "psnr", "ssim": "ssim", "perceptual": "scene_distance"}
    errors = {ours: _to_estimate(figures[name]) for ours, name in names.items()}
    return Reconstruction(**_read_quality(config), **errors)


def _read_quality(config: EvaluationConfig) -> dict[str, Estimate]:
    figures = _read_figures(config)
    return {
        "frechet": _to_estimate(figures["frechet_distance"]),
        "named": _to_estimate(figures["first_choice"]),
    }


def _read_figures(config: EvaluationConfig) -> Mapping[str, Any]:
    figures: list[dict[str, Any]] = read_json_object(results_file(config))["figures"]
    return {figure["name"]: figure for figure in figures}


def _to_estimate(figure: Mapping[str, Any]) -> Estimate:
    return Estimate(value=figure["value"], low=figure["low"], high=figure["high"])
