"""The phases of the study. Each writes one file or folder at its end, and is skipped from then on.

A phase that was killed goes on from its last checkpoint or its last hundred pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.tradeoff.configs import configure_denoiser, first_stage_folder
from benchmarks.tradeoff.evaluations import (
    configure_pictures,
    configure_real,
    configure_reconstructions,
    evaluate,
    export_model,
    list_points,
    make_reference,
    model_folder,
    reference_file,
    results_file,
)
from benchmarks.tradeoff.models import MODELS, Model
from benchmarks.tradeoff.study import MEASURED, Study
from benchmarks.tradeoff.throughput import BATCH, measure_throughput, throughput_file
from benchmarks.tradeoff.training import make_denoiser, make_first_stage
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.io.atomic import write_json


@dataclass(frozen=True)
class Phase:
    """A part of the study.

    Attributes:
        title: Of a line of the output.
        result: The file or folder that is there when the phase is over.
        run: Makes it.
    """

    title: str
    result: Path
    run: Callable[[], None]


def list_phases(study: Study) -> Iterator[Phase]:
    """Yield the phases in order; take one only after those before it are over."""
    yield Phase("reference scenes", reference_file(study), partial(make_reference, study))
    yield _evaluation("real scenes", configure_real(study))
    for model in MODELS:
        folder = Path(first_stage_folder(study, model))
        yield Phase(f"{model.name}: first stage", folder, partial(make_first_stage, study, model))
    for model in MODELS:
        yield from _list_phases_of(study, model)


def _list_phases_of(study: Study, model: Model) -> Iterator[Phase]:
    folder, name = configure_denoiser(study, model).out / "result", model.name
    yield Phase(f"{name}: denoiser", folder, partial(make_denoiser, study, model))
    yield _evaluation(f"{name}: reconstructions", configure_reconstructions(study, model))
    for step, steps in list_points(study, model, MEASURED):
        made = model_folder(study, model, step)
        export = partial(export_model, study, model, step)
        yield Phase(f"{name}: model after {step} steps", made, export)
        title = f"{name}: pictures after {step} steps of training, by {steps} of DDIM"
        yield _evaluation(title, configure_pictures(study, model, step, steps))
    path = throughput_file(study, model)
    measure = partial(_write_throughput, folder, path, min(BATCH, study.pictures))
    yield Phase(f"{name}: throughput", path, measure)


def _evaluation(title: str, config: EvaluationConfig) -> Phase:
    return Phase(title, results_file(config), partial(evaluate, config))


def _write_throughput(folder: Path, path: Path, batch: int) -> None:
    write_json(path, measure_throughput(str(folder), batch))
