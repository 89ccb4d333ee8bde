"""The evaluations of the study, by the product's own command `latelier evaluate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import latelier
from benchmarks.tradeoff.configs import LENGTH, configure_denoiser
from benchmarks.tradeoff.models import Model
from benchmarks.tradeoff.study import (
    KEPT,
    PROGRESS_STEPS,
    REFERENCE_SEED,
    SAMPLING_STEPS,
    SCENES,
    TEST_SEED,
    Study,
)
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.evaluation.run.evaluation import prepare_evaluation
from latelier.evaluation.run.folder import RESULTS
from latelier.evaluation.run.processes import compute_in
from latelier.evaluation.run.recording import Resources
from latelier.evaluation.run.references import compute_reference
from latelier.evaluation.run.run import run_evaluation
from latelier.training.denoiser.train import plan_denoiser
from latelier.training.loop.evaluation import export_average
from latelier.training.optimization.averages import SNAPSHOTS, list_snapshots
from latelier.training.step_names import step_name, step_of

_QUALITY = ["frechet_distance", "scene_objects"]
_FIDELITY = ["psnr", "ssim", "scene_distance"]


def reference_file(study: Study) -> Path:
    """Return the file with the statistics of the scenes that all pictures are compared with."""
    return study.out / "reference.safetensors"


def make_reference(study: Study) -> None:
    """Write the statistics of the scenes that all pictures are compared with."""
    config = _configure(
        study,
        "reference",
        task={"kind": "originals"},
        data=_scenes(REFERENCE_SEED),
        pictures=study.reference,
    )
    evaluation = prepare_evaluation(config, latelier.default_atelier())
    compute_reference(evaluation, reference_file(study), study.reference, _resources())


def configure_real(study: Study) -> EvaluationConfig:
    """Return the evaluation of other real scenes, as many as there are generated pictures."""
    return _configure(study, "real", task={"kind": "originals"}, measures=_QUALITY)


def configure_reconstructions(study: Study, model: Model) -> EvaluationConfig:
    """Return the evaluation of the first stage of a trained model."""
    return _configure(
        study,
        f"{model.name}/reconstructions",
        task={"kind": "reconstruction"},
        model=str(configure_denoiser(study, model).out / "result"),
        measures=[*_QUALITY, *_FIDELITY],
        published="table-08",
    )


def configure_pictures(study: Study, model: Model, step: int, steps: int) -> EvaluationConfig:
    """Return the evaluation of the pictures that a model generates at a step of its training.

    Args:
        study: that it belongs to.
        model: that generates them.
        step: of the training.
        steps: of DDIM.
    """
    return _configure(
        study,
        f"{model.name}/{step_name(step)}-ddim-{steps}",
        task={"kind": "class"},
        model=str(model_folder(study, model, step)),
        generate={"steps": steps, "sampler": "ddim", "guidance": 1.0},
        measures=_QUALITY,
        dtype="bfloat16",
    )


def evaluate(config: EvaluationConfig) -> None:
    """Carry out an evaluation, or go on with it."""
    run_evaluation(config, _resources())


def results_file(config: EvaluationConfig) -> Path:
    """Return the file that an evaluation writes at its end."""
    return config.out / RESULTS


def model_folder(study: Study, model: Model, step: int) -> Path:
    """Return the folder of a model at a step of its training."""
    return configure_denoiser(study, model).out / f"result-length-{LENGTH:g}-{step_name(step)}"


def export_model(study: Study, model: Model, step: int) -> None:
    """Write a model at a step of its training."""
    config = configure_denoiser(study, model)
    export_average(plan_denoiser, config, latelier.default_atelier(), LENGTH, step)


def list_points(study: Study, model: Model, parts: Sequence[int]) -> list[tuple[int, int]]:
    """Return the training steps and sampling steps of a model's points in both figures.

    Args:
        study: that it belongs to.
        model: a trained one.
        parts: the sixteenths of its training that are measured, the last one at the end.
    """
    snapshots = list_snapshots(configure_denoiser(study, model).out / SNAPSHOTS)
    steps = [step_of(snapshots[part - 1]) for part in parts]
    progress = [(step, PROGRESS_STEPS) for step in steps[:-1]]
    return progress + [(steps[-1], each) for each in SAMPLING_STEPS]


def _configure(study: Study, name: str, **values: Any) -> EvaluationConfig:
    """Return an evaluation on the test scenes with the features of the scene detector."""
    common = {
        "out": study.out / "evaluations" / name,
        "data": _scenes(TEST_SEED),
        "pictures": study.pictures,
        "seed": TEST_SEED,
        "batch_size": 50,
        "chunk_size": 100,
        "network": "scenes",
        "device": "cpu",
        "keep": KEPT,
    }
    if values.get("measures"):
        common["reference"] = reference_file(study)
    return EvaluationConfig.model_validate(common | values)


def _scenes(seed: int) -> dict[str, Any]:
    return {"dataset": "emoji_scenes", "config": SCENES, "seed": seed}


def _resources() -> Resources:
    """Return as many processes of one thread as torch would use threads: they are faster."""
    return Resources(compute_in(torch.get_num_threads()))
