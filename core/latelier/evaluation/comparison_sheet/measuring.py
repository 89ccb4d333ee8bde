"""Measures of the pictures of a side, which are few enough to be kept in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureNetwork
from latelier.contracts.measures import EvaluatedPictures, Measure
from latelier.evaluation.comparison_sheet.sides import Side
from latelier.evaluation.report.results import MeasuredFigure, Results

_GIVEN = frozenset({"features", "logits", "prompt"})
"""What pictures of prompts have: no originals, and no reference."""

_BATCH = 25


@dataclass(frozen=True, eq=False)
class _Records:
    """Columns in memory, as one chunk."""

    columns: Mapping[str, Tensor]
    count: int
    network: str

    def column(self, name: str, /) -> Tensor:
        if name not in self.columns:
            raise InvalidInputError(
                f"a measure needs {name}, which the network '{self.network}' does not give"
            )
        return self.columns[name]

    def chunks(self, *names: str) -> Iterator[tuple[Tensor, ...]]:
        yield tuple(self.column(name) for name in names)


def check_measures(measures: Mapping[str, Measure]) -> None:
    """Check that measures need nothing but pictures and their prompts.

    Raises:
        InvalidInputError: a measure needs originals, a reference or another input.
    """
    for name, measure in measures.items():
        missing = sorted(measure.needs - _GIVEN)
        if missing:
            raise InvalidInputError(
                f"measure '{name}' needs {missing[0]}, which a comparison by prompts does not "
                "have; `latelier evaluate run` measures models on data that do"
            )


def measure_side(
    side: Side, prompts: Sequence[str], measures: Mapping[str, Measure], network: FeatureNetwork
) -> Results:
    """Return the figures of a side.

    Args:
        side: with a picture for each prompt.
        prompts: of the pictures.
        measures: by name, checked by `check_measures`.
        network: gives the features.

    Raises:
        LatelierError: a measure refuses the pictures or the network.
    """
    batches = [
        _look_at(side.pictures[first : first + _BATCH], prompts[first : first + _BATCH], network)
        for first in range(0, len(prompts), _BATCH)
    ]
    figures = []
    for name, measure in measures.items():
        columns = _stack([{**_features_of(each), **measure.record(each)} for each in batches])
        records = _Records(columns, len(prompts), network.name)
        of = network.name if measure.needs & {"features", "logits"} else ""
        figures += [MeasuredFigure(name, each, of) for each in measure.compute(records, None)]
    return Results(side.name, side.name, len(side.pictures), figures)


def _look_at(
    pictures: Sequence[Image], prompts: Sequence[str], network: FeatureNetwork
) -> EvaluatedPictures:
    # (H, W, 3) each -> (B, 3, H, W)
    images = torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) for each in pictures])
    samples = [{"prompt": prompt} for prompt in prompts]
    return EvaluatedPictures(images, samples, features=network(images))


def _features_of(pictures: EvaluatedPictures) -> dict[str, Tensor]:
    """Return the columns that a run records itself."""
    features = pictures.features
    assert features is not None
    logits = {} if features.logits is None else {"logits": features.logits}
    return {"features": features.vectors, **logits}


def _stack(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
