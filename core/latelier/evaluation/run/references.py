"""The reference of a run: read from a file, or computed as an evaluation of its own."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError, LatelierError
from latelier.evaluation.protocol.config import EvaluationConfig, ReferenceConfig
from latelier.evaluation.records.chunk import Unusable
from latelier.evaluation.records.reference import (
    StoredReference,
    measure_reference,
    read_reference,
    write_reference,
)
from latelier.evaluation.records.stored import StoredRecords
from latelier.evaluation.run.evaluation import Evaluation, prepare_evaluation
from latelier.evaluation.run.folder import REFERENCE, discard, hold_folder, list_files
from latelier.evaluation.run.recording import Resources, record
from latelier.evaluation.sizes import format_size
from latelier.evaluation.tasks.originals import Originals

_FOLDER = "reference"
_logger = logging.getLogger(__name__)


def open_reference(evaluation: Evaluation, resources: Resources) -> StoredReference | None:
    """Return the reference of a run; None if no measure needs one.

    Raises:
        DataError: it is missing or damaged, or of another network or size than the run's, which is
            checked before anything is computed.
        LatelierError: see `compute_reference`.
    """
    config = evaluation.config
    if "reference" not in evaluation.needs or config.reference is None:
        return None
    if config.reference.path is not None:
        reference = read_reference(config.reference.path)
        check_reference(reference.facts, evaluation, str(config.reference.path))
        return reference
    own = _prepare(evaluation, config.reference, resources)
    check_reference(list_facts(own), evaluation, "reference")
    path, sample = config.out / REFERENCE, config.reference.sample
    if path.is_file():
        reference = read_reference(path)
        if reference.facts == list_facts(own) and reference.limit == sample:
            return reference
    return compute_reference(own, path, sample, resources)


def compute_reference(
    evaluation: Evaluation, path: Path, sample: int, resources: Resources
) -> StoredReference:
    """Return the reference of the pictures of an evaluation, and write it to a file.

    The chunks are in the folder of the evaluation until the file is there.

    Args:
        evaluation: of the pictures, without measures.
        path: of the file, which is replaced.
        sample: most features that are kept.
        resources: that compute it.

    Raises:
        DataError: the data are missing or damaged.
        OSError: a file cannot be written.
    """
    folder = evaluation.config.out
    with hold_folder(folder, evaluation):
        _warn(evaluation, record(evaluation, resources, "reference pictures"))
    files = list_files(folder, resources.part.numbers(evaluation.chunk_count))
    chunks = StoredRecords(files).chunks("index", "features")
    reference = measure_reference(((a, b) for a, b in chunks), list_facts(evaluation), sample)
    write_reference(path, reference)
    discard(folder)
    return reference


def check_reference(found: Mapping[str, Any], evaluation: Evaluation, where: str) -> None:
    """Check by the facts of a reference that it is comparable with the pictures of a run.

    Raises:
        DataError: it is of another network, rule of resizing or size.
    """
    assert evaluation.network is not None
    expected = evaluation.network
    if found["network"] != expected.identity:
        raise DataError(
            f"{where}: has features of {found['network_name']} ({found['network']}), and this run "
            f"compares those of {expected.name} ({expected.identity}); make a reference with this "
            "network: `latelier evaluate reference`"
        )
    if found["size"] != list(evaluation.samples.size):
        raise DataError(
            f"{where}: is of pictures of {format_size(found['size'])}, and those of this run have "
            f"{format_size(evaluation.samples.size)}; make both of one size: set that of the data "
            "(--size)"
        )


def _prepare(
    evaluation: Evaluation, reference: ReferenceConfig, resources: Resources
) -> Evaluation:
    """Return the evaluation of the reference pictures of a run, ready to compute."""
    try:
        return prepare_evaluation(_configure(evaluation, reference), resources.atelier)
    except LatelierError as error:
        raise type(error)(f"reference{'.' if error.field else ': '}{error}") from None


def _configure(evaluation: Evaluation, reference: ReferenceConfig) -> EvaluationConfig:
    """Return the evaluation of the reference pictures of a run."""
    config = evaluation.config
    data = reference.data or config.data
    pictures = reference.pictures
    if data.path is None:
        pictures = pictures or data.length or evaluation.count
    elif data.size is None:  # the pictures of a model have its size, to which data are resized
        size = evaluation.samples.size if config.model is not None else config.data.size
        data = data.model_copy(update={"size": size})
    kept = {
        name: getattr(config, name)
        for name in ("network", "batch_size", "chunk_size", "max_unusable", "threads", "device")
    }
    return EvaluationConfig(
        out=config.out / _FOLDER, task=Originals(), data=data, pictures=pictures, **kept
    )


def list_facts(evaluation: Evaluation) -> dict[str, Any]:
    """Return what determines the reference of the pictures of an evaluation, as JSON values."""
    assert evaluation.network is not None
    data: Mapping[str, Any] = {**evaluation.samples.facts, "pictures": evaluation.count}
    return {
        "name": evaluation.samples.name,
        "network": evaluation.network.identity,
        "network_name": evaluation.network.name,
        "size": list(evaluation.samples.size),
        "data": [data],
    }


def _warn(evaluation: Evaluation, unusable: Sequence[Unusable]) -> None:
    if unusable:
        first = unusable[0]
        _logger.warning(
            "%s: %d of %d reference pictures cannot be used, such as %s: %s",
            evaluation.samples.name,
            len(unusable),
            evaluation.count,
            first.name,
            first.reason,
        )
