"""Measures of the pictures of a side, which are few enough to be kept in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureNetwork
from latelier.contracts.measures import EvaluatedPictures, Measure
from latelier.evaluation.comparison_sheet.samples import Sample
from latelier.evaluation.comparison_sheet.sides import Side
from latelier.evaluation.records.memory import MemoryRecords
from latelier.evaluation.report.results import MeasuredFigure, Results
from latelier.evaluation.run.evaluation import OF_RUN
from latelier.evaluation.sizes import contrast_sizes
from latelier.evaluation.tasks.model import stack_images

_BATCH = 25


def join_needs(measures: Mapping[str, Measure]) -> frozenset[str]:
    """Return what any of some measures needs."""
    return frozenset[str]().union(*(measure.needs for measure in measures.values()))


def list_fields(measures: Mapping[str, Measure], *, with_originals: bool) -> set[str]:
    """Return the fields of samples that measures and sides need, "prompt" among them."""
    needs = join_needs(measures)
    image = {"image"} if with_originals or "originals" in needs else set[str]()
    return {"prompt", *image, *(needs - OF_RUN)}


def check_measures(measures: Mapping[str, Measure], samples: Sequence[Sample]) -> None:
    """Check that measures need nothing that samples do not have.

    Raises:
        InvalidInputError: a measure needs a reference, or a field of samples that is missing.
    """
    has = {"features", "logits", *samples[0], *(["originals"] if "image" in samples[0] else [])}
    for name, measure in measures.items():
        missing = sorted(measure.needs - has)
        if missing:
            raise InvalidInputError(
                f"measure '{name}' needs {missing[0]}, which this comparison does not have; "
                "`latelier evaluate run` measures models against references"
            )


def check_originals(measures: Mapping[str, Measure], models: Sequence[str]) -> None:
    """Check that no measure compares what a model makes of prompts alone with originals.

    Args:
        measures: by name.
        models: names of the sides that are made of prompts.

    Raises:
        InvalidInputError: a measure does.
    """
    for name, measure in measures.items():
        if models and "originals" in measure.needs:
            raise InvalidInputError(
                f"measure '{name}' compares pictures with their originals, and '{models[0]}' makes "
                "pictures of prompts alone; compare folders, or measure by `latelier evaluate run` "
                "with a task that has originals, such as super_resolution"
            )


def measure_side(
    side: Side,
    samples: Sequence[Sample],
    measures: Mapping[str, Measure],
    network: FeatureNetwork | None,
    device: torch.device,
) -> Results:
    """Return the figures of a side.

    Args:
        side: with a picture for each sample.
        samples: that the pictures were made of.
        measures: by name, checked by `check_measures`.
        network: gives the features; None where no measure needs them.
        device: of the network and the measures.

    Raises:
        InvalidInputError: a measure needs originals, which have another size than the pictures.
        LatelierError: a measure refuses the pictures or the network.
    """
    batches = []
    for first in range(0, len(samples), _BATCH):
        part = slice(first, first + _BATCH)
        batches.append(_look_at(side.pictures[part], samples[part], network, device))
    if "originals" in join_needs(measures):
        batches = [_with_originals(each) for each in batches]
    figures = []
    for name, measure in measures.items():
        columns = _stack([{**_features_of(each), **measure.record(each)} for each in batches])
        of = network.name if network and measure.needs & {"features", "logits"} else ""
        records = MemoryRecords(columns, len(samples), len(samples), of)
        figures += [MeasuredFigure(name, each, of) for each in measure.compute(records, None)]
    return Results(side.name, side.name, len(side.pictures), figures)


def _look_at(
    pictures: Sequence[Image],
    samples: Sequence[Sample],
    network: FeatureNetwork | None,
    device: torch.device,
) -> EvaluatedPictures:
    images = stack_images([np.array(picture) for picture in pictures]).to(device)
    return EvaluatedPictures(images, samples, features=None if network is None else network(images))


def _with_originals(pictures: EvaluatedPictures) -> EvaluatedPictures:
    images = pictures.images
    originals = torch.stack([sample["image"] for sample in pictures.samples]).to(images.device)
    if originals.shape != images.shape:
        raise InvalidInputError(f"{contrast_sizes(images, originals)}; set --size")
    return replace(pictures, originals=originals)


def _features_of(pictures: EvaluatedPictures) -> dict[str, Tensor]:
    """Return the columns that a run records itself."""
    features = pictures.features
    if features is None:
        return {}
    logits = {} if features.logits is None else {"logits": features.logits}
    return {"features": features.vectors, **logits}


def _stack(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}
