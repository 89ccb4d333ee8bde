"""Results of a study whose numbers are made up."""

from pathlib import Path

import pytest

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
