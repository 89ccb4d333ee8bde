"""Whether the background of scenes is as captions say."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.detector.outcomes import compare_background
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import share
from latelier.evaluation.measures.scenes.reading import read_scene_pictures

_TITLES = {
    "background": "Background right",
    "kind": "Kind of background right",
    "place": "Place right",
    "color": "Colours right",
}
_UNNAMED = -1


class SceneBackground:
    """How often pictures have the background that the caption of their scene names."""

    needs: ClassVar[frozenset[str]] = frozenset({"scene"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "background", "kind", "place" and "color", int64 (B,).

        1: right, 0: wrong, -1: the caption does not name it.
        """
        reading, scenes = read_scene_pictures(pictures)
        outcomes = [
            compare_background(reading, k, scene) if scene.claims.background else {}
            for k, scene in enumerate(scenes)
        ]
        columns = {
            name: [int(each[name]) if name in each else _UNNAMED for each in outcomes]
            for name in _TITLES
        }
        columns["background"] = [int(all(each.values())) if each else _UNNAMED for each in outcomes]
        return {name: torch.tensor(each) for name, each in columns.items()}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return the share of each of these that is right, of those that captions name."""
        columns = {name: records.column(name) for name in _TITLES}
        return [
            Figure(
                name=name,
                title=_TITLES[name],
                better="higher",
                **share(column[column != _UNNAMED] > 0),
            )
            for name, column in columns.items()
            if (column != _UNNAMED).any()
        ]
