"""Computes the chunks of an evaluation."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import DataError, InvalidInputError, PluginError
from latelier.contracts.features import Features
from latelier.contracts.measures import EvaluatedPictures
from latelier.data.pictures import UnusableError
from latelier.evaluation.records.chunk import Chunk, Unusable
from latelier.evaluation.records.stored import stored_name
from latelier.evaluation.run.evaluation import Evaluation
from latelier.evaluation.sizes import contrast_sizes
from latelier.evaluation.tasks.task import GenerationTask
from latelier.training.data.randomness import DataPurpose, data_generator

Sample = dict[str, Any]
_MAX_NAMES = 3


def compute_chunk(evaluation: Evaluation, number: int) -> Chunk:
    """Return a chunk of an evaluation: a function of the two, whoever calls it.

    Raises:
        DataError: more samples are unusable than the configuration allows, or a measure needs the
            logits of a network that has none.
        LatelierError: the model, the network or a measure refuses the samples.
    """
    indices, parts = evaluation.indices(number), list[dict[str, Tensor]]()
    unusable, kept = list[Unusable](), dict[int, Tensor]()
    for start in range(indices.start, indices.stop, evaluation.config.batch_size):
        batch = range(start, min(start + evaluation.config.batch_size, indices.stop))
        made = _make_pictures(evaluation, _read_samples(evaluation, batch, unusable), unusable)
        check_unusable(evaluation, unusable)
        if made:
            parts.append(_record(evaluation, made))
            kept |= {
                sample["index"]: image
                for sample, image in made
                if sample["index"] < evaluation.config.keep
            }
    columns = {name: torch.cat([each[name] for each in parts]) for name in (parts or [{}])[0]}
    return Chunk(number, columns, tuple(unusable), kept)


def check_options(evaluation: Evaluation) -> None:
    """Check the options of the model by the request for the first sample.

    Raises:
        InvalidConfigError: one is invalid.
        LatelierError: the sample cannot be read.
    """
    task = evaluation.config.task
    if evaluation.model is None or not isinstance(task, GenerationTask):
        return
    samples = _read_samples(evaluation, range(1), [])
    if samples:
        evaluation.model.check_options(samples, **task.list_keywords(samples))


def check_unusable(evaluation: Evaluation, unusable: Sequence[Unusable]) -> None:
    """Check that no more samples are unusable than the configuration allows.

    Raises:
        DataError: there are more; the error counts them and names the first.
    """
    limit = int(evaluation.config.max_unusable * evaluation.count)
    if len(unusable) <= limit:
        return
    name = evaluation.samples.name or evaluation.config.model  # samples may be mere numbers
    first = "; ".join(f"{each.name}: {each.reason}" for each in unusable[:_MAX_NAMES])
    raise DataError(
        f"{name}: {len(unusable)} of {evaluation.count} samples cannot be used, "
        f"and max_unusable allows {limit}: {first}"
    )


def _read_samples(evaluation: Evaluation, indices: range, unusable: list[Unusable]) -> list[Sample]:
    """Return the usable samples with the fields of the task; append the others to `unusable`."""
    samples, task = list[Sample](), evaluation.config.task
    for index in indices:
        try:
            sample = evaluation.samples.read(index, evaluation.fields)
        except UnusableError as error:
            name = evaluation.samples.sample_name(index)
            unusable.append(Unusable(index, name, str(error)))
            continue
        generator = data_generator(evaluation.config.seed, DataPurpose.EVALUATION, index)
        samples.append({**sample, **task.add_fields(sample, generator)})
    return samples


def _make_pictures(
    evaluation: Evaluation, samples: Sequence[Sample], unusable: list[Unusable]
) -> list[tuple[Sample, Tensor]]:
    """Return the samples with their pictures; append those that the model refuses to `unusable`.

    Samples whose indices follow each other are made together, in halves where one is refused.
    """
    made = list[tuple[Sample, Tensor]]()
    queue = deque(_divide(samples))
    while queue:
        run = queue.popleft()
        try:
            pictures = evaluation.config.task.make_pictures(evaluation.model, run)
        except InvalidInputError as error:
            if len(run) > 1:
                half = len(run) // 2
                queue.extendleft((run[half:], run[:half]))
                continue
            index = run[0]["index"]
            name = evaluation.samples.sample_name(index)
            unusable.append(Unusable(index, name, str(error)))
        else:
            made += zip(run, pictures, strict=True)
    return made


def _divide(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Yield the longest runs of samples whose indices follow each other."""
    first = 0
    for k in range(1, len(samples) + 1):
        if k == len(samples) or samples[k]["index"] != samples[k - 1]["index"] + 1:
            yield samples[first:k]
            first = k


@torch.no_grad()
def _record(evaluation: Evaluation, made: Sequence[tuple[Sample, Tensor]]) -> dict[str, Tensor]:
    """Return the columns of samples and their pictures, on the CPU."""
    samples = [sample for sample, _ in made]
    images = torch.stack([picture for _, picture in made]).to(evaluation.device)
    features = None if evaluation.network is None else evaluation.network(images)
    originals = None
    if "originals" in evaluation.needs:
        originals = torch.stack([each["image"] for each in samples]).to(evaluation.device)
        _check_size(images, originals)
    pictures = EvaluatedPictures(images, samples, originals, features)
    columns = {"index": torch.tensor([each["index"] for each in samples])}
    columns |= _columns_of(features, evaluation)
    for label, measure in evaluation.measures.items():
        recorded = measure.record(pictures)
        if recorded and label not in evaluation.recording:
            raise PluginError(
                f"the measure '{label}' recorded a column '{min(recorded)}', but a measure that "
                "needs features, logits or a reference alone records nothing"
            )
        _check_rows(label, recorded, len(samples))
        columns |= {stored_name(label, name): each for name, each in recorded.items()}
    return {name: each.detach().cpu().contiguous() for name, each in columns.items()}


def _columns_of(features: Features | None, evaluation: Evaluation) -> dict[str, Tensor]:
    """Return the columns of the run: logits too, for measures that are added later."""
    if features is None:
        return {}
    columns = {"features": features.vectors}
    if features.logits is not None and evaluation.measures:
        columns["logits"] = features.logits
    elif "logits" in evaluation.needs:
        raise DataError(
            "network: a measure needs the logits of classes, which this network does not have; "
            "choose one that classifies, such as inception"
        )
    return columns


def _check_size(images: Tensor, originals: Tensor) -> None:
    if images.shape != originals.shape:
        raise DataError(f"{contrast_sizes(images, originals)}; set the size of the data")


def _check_rows(label: str, columns: Mapping[str, Tensor], rows: int) -> None:
    for name, column in columns.items():
        if column.ndim < 1 or len(column) != rows:
            raise PluginError(
                f"the measure '{label}' recorded a column '{name}' of shape {tuple(column.shape)} "
                f"for {rows} pictures; expected a row for each"
            )
