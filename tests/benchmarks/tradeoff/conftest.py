"""Results of a study whose numbers are made up."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.tradeoff.configs import configure_denoiser
from benchmarks.tradeoff.evaluations import (
    configure_pictures,
    configure_real,
    configure_reconstructions,
    list_points,
    results_file,
)
from benchmarks.tradeoff.models import MODELS, Model
from benchmarks.tradeoff.results import (
    Estimate,
    ModelResult,
    Point,
    Quality,
    Reconstruction,
    Results,
)
from benchmarks.tradeoff.study import MEASURED, SAMPLING_STEPS, Study
from benchmarks.tradeoff.throughput import throughput_file
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.training.step_names import step_name

NAMES = ("frechet_distance", "first_choice", "psnr", "ssim", "scene_distance")

Store = Callable[[EvaluationConfig, float], None]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "study").rehearse(0.0001)


@pytest.fixture
def results() -> Results:
    sizes = {"pictures": 1000, "reference": 5000, "denoiser_steps": 12_000}
    return Results(
        study=sizes,
        real=Quality(frechet=around(0.3), named=around(0.98)),
        models=tuple(make_result(model) for model in MODELS),
    )


def around(value: float) -> Estimate:
    return Estimate(value=value, low=0.9 * value, high=1.1 * value)


def make_result(model: Model) -> ModelResult:
    return ModelResult(
        name=model.name,
        factor=model.factor,
        kind=model.kind,
        numbers=100,
        batch=model.batch,
        learning_rate=1e-3,
        reconstruction=Reconstruction(
            frechet=around(model.factor / 3),
            named=Estimate(value=0.9),
            psnr=around(25.5),
            ssim=around(0.9),
            perceptual=around(0.1),
        ),
        progress=tuple(make_point(model, part, 16) for part in MEASURED),
        sampling=tuple(make_point(model, 16, steps) for steps in SAMPLING_STEPS),
        per_second={steps: 64 / steps for steps in SAMPLING_STEPS},
    )


def make_point(model: Model, part: int, steps: int) -> Point:
    return Point(
        step=750 * part,
        sampling_steps=steps,
        frechet=around(model.factor + 60 / part + 20 / steps),
        named=around(1 - 0.5 / part),
    )


@pytest.fixture
def store() -> Store:
    """Write results of an evaluation whose figures all have one value."""

    def store(config: EvaluationConfig, value: float) -> None:
        figures = [{"name": name, "value": value, "low": None, "high": value + 1} for name in NAMES]
        path = results_file(config)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"figures": figures}))

    return store


@pytest.fixture
def measured(study: Study, store: Store) -> Study:
    """A study with the results of one model, whose last point is missing."""
    model = MODELS[2]
    snapshots = configure_denoiser(study, model).out / "snapshots"
    snapshots.mkdir(parents=True)
    for step in range(1, 17):
        (snapshots / f"{step_name(step)}.safetensors").touch()
    store(configure_real(study), 0.5)
    store(configure_reconstructions(study, model), 2.0)
    for step, steps in list_points(study, model, MEASURED)[:-1]:
        store(configure_pictures(study, model, step, steps), 100 * step + steps)
    throughput_file(study, model).write_text(
        json.dumps({str(steps): 32 / steps for steps in SAMPLING_STEPS})
    )
    return study
