"""Runs an evaluation: records its pictures, and measures what was recorded."""

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

import torch

from latelier._version import __version__
from latelier.contracts.errors import EvaluationError, InvalidConfigError, LatelierError
from latelier.contracts.measures import Figure, Measure, Reference
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.evaluation.published.table import read_published
from latelier.evaluation.records.chunk import Unusable
from latelier.evaluation.records.reference import StoredReference
from latelier.evaluation.records.stored import StoredRecords
from latelier.evaluation.report.files import write_report
from latelier.evaluation.report.results import MeasuredFigure, Results
from latelier.evaluation.run.chunks import check_options
from latelier.evaluation.run.evaluation import Evaluation, prepare_evaluation
from latelier.evaluation.run.folder import hold_folder, list_files
from latelier.evaluation.run.recording import Part, Resources, record
from latelier.evaluation.run.references import open_reference
from latelier.evaluation.run.settings import list_settings
from latelier.evaluation.run.threads import use_threads

_MAX_LISTED = 100
"""Most unusable samples that results list; all are counted."""


def run_evaluation(config: EvaluationConfig, resources: Resources) -> Results | None:
    """Record the pictures of an evaluation, measure them, and write the report into its folder.

    A run that was interrupted or killed goes on with what its folder has, also with other
    resources, and ends with the same results. A measure that cannot be computed has a figure
    without a value (NaN), whose note says why; all others are computed.

    Returns:
        the results; None if only a part of the chunks was to be computed.

    Raises:
        InvalidConfigError: a field is invalid, or the folder holds another evaluation.
        DataError: the data are missing or damaged, or the reference is of another network.
        LatelierError: the model or the network refuses the samples.
        OSError: a file cannot be written.
    """
    if not config.measures:
        raise InvalidConfigError("measures: expected one or more")
    published = [read_published(name) for name in config.published]
    evaluation = prepare_evaluation(config, resources.atelier)
    check_options(evaluation)
    with hold_folder(config.out, evaluation):
        if resources.part != Part():
            record(evaluation, resources, "pictures")
            return None
        reference = open_reference(evaluation, resources)
        unusable = record(evaluation, resources, "pictures")
        settings = list_settings(evaluation, reference, resources.atelier)
        results = measure_records(evaluation, reference, unusable, settings)
        write_report(results, config.out, published)
        return results


def measure_records(
    evaluation: Evaluation,
    reference: StoredReference | None,
    unusable: Sequence[Unusable],
    settings: Mapping[str, str],
) -> Results:
    """Return the results of the records of an evaluation, which was made with some settings.

    Raises:
        EvaluationError: a chunk is missing.
    """
    files = list_files(evaluation.config.out, range(evaluation.chunk_count))
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise EvaluationError(
            f"{evaluation.config.out}: {len(missing)} of {len(files)} chunks are missing, such as "
            f"{missing[0].name}; compute the other parts first"
        )
    config = evaluation.config
    figures = _measure(evaluation, files, reference)
    model = config.model or evaluation.samples.name
    return Results(
        title=config.title or f"{config.task.kind.replace('_', ' ').capitalize()}: {model}",
        model=model,
        pictures=StoredRecords(files).count,
        figures=figures,
        task=config.task.kind,
        reference="" if reference is None else f"{reference.count:,} pictures of {reference.name}",
        size=evaluation.samples.size,
        settings=settings,
        provenance={
            "facts": dict(evaluation.facts),
            "measures": dict(evaluation.choices),
            "reference": None if reference is None else dict(reference.facts),
            "unusable": {
                "count": len(unusable),
                "samples": [f"{each.name}: {each.reason}" for each in _by_index(unusable)],
            },
            "latelier": __version__,
            "torch": torch.__version__,
        },
    )


def _measure(
    evaluation: Evaluation, files: Sequence[Path], reference: Reference | None
) -> list[MeasuredFigure]:
    name = "" if evaluation.network is None else evaluation.network.name
    figures = []
    for label, measure in evaluation.measures.items():
        network = name if measure.needs & {"features", "logits"} else ""
        records = StoredRecords(files, network, label)
        given = reference if "reference" in measure.needs else None
        with use_threads(evaluation.config.threads):
            computed = _compute(label, measure, records, given)
        figures += [MeasuredFigure(label, figure, network) for figure in computed]
    return figures


def _compute(
    label: str, measure: Measure, records: StoredRecords, reference: Reference | None
) -> Sequence[Figure]:
    """Return the figures of a measure; one without a value if it cannot be computed."""
    try:
        return measure.compute(records, reference)
    except LatelierError as error:
        return [Figure(label, label, nan, "higher", note=f"{label}: cannot be computed: {error}")]


def _by_index(unusable: Sequence[Unusable]) -> list[Unusable]:
    return sorted(unusable, key=lambda each: each.index)[:_MAX_LISTED]
