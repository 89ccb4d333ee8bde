"""Measures of the pictures of a side, which are few enough to be kept in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
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
    """Columns in memory."""

    columns: Mapping[str, Tensor]
    count: int
    network: str

    def column(self, name: str, /) -> Tensor:
        """Return a column."""
        return self.columns[name]

    def chunks(self, *names: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the columns, which are one chunk."""
        yield tuple(self.columns[name] for name in names)


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
    """
    figures = []
    for name, measure in measures.items():
        records = _record(side, prompts, measure, network)
        of = network.name if measure.needs & {"features", "logits"} else ""
        figures += [MeasuredFigure(name, each, of) for each in measure.compute(records, None)]
    return Results(side.name, side.name, len(side.pictures), figures)


def _record(
    side: Side, prompts: Sequence[str], measure: Measure, network: FeatureNetwork
) -> _Records:
    parts = []
    for first in range(0, len(prompts), _BATCH):
        batch = slice(first, first + _BATCH)
        samples = [{"prompt": prompt} for prompt in prompts[batch]]
        images = torch.stack([_to_levels(picture) for picture in side.pictures[batch]])
        features = network(images)
        columns = {"features": features.vectors}
        if features.logits is not None:
            columns["logits"] = features.logits
        pictures = EvaluatedPictures(images, samples, features=features)
        parts.append({**columns, **measure.record(pictures)})
    columns = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return _Records(columns, len(prompts), network.name)


def _to_levels(picture: object) -> Tensor:
    """Return an RGB picture as uint8 (3, H, W)."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
