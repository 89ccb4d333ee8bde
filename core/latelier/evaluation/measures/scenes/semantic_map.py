"""How far pictures follow semantic maps of scenes."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.data.emoji_scenes import SEMANTIC_CLASSES
from latelier.evaluation.mean_iou import count_overlaps
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.scenes.reading import read_scene_pictures
from latelier.metrics.intervals import bootstrap_interval

_CLASSES = len(SEMANTIC_CLASSES)


class SceneMap:
    """The mean IoU of the map that is seen with that of the scene."""

    needs: ClassVar[frozenset[str]] = frozenset({"scene"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "shared" and "union", float64 (B, 12): pixels of each class in both maps, in one.

        Raises:
            InvalidInputError: a scene has another size than its picture.
        """
        reading, scenes = read_scene_pictures(pictures)
        maps = torch.stack([torch.from_numpy(scene.semantic_map) for scene in scenes])
        shared, union = count_overlaps(reading.semantic_map, maps, _CLASSES)
        return {"shared": shared, "union": union}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return "mean_iou": of all pixels together, the mean over the classes that occur."""
        columns = torch.cat([records.column("shared"), records.column("union")], 1)
        low, high = bootstrap_interval(columns, _average_classes)
        value = float(_average_classes(columns.mean(0, keepdim=True)))
        return [
            Figure(
                name="mean_iou",
                title="Mean IoU of semantic maps",
                value=value,
                better="higher",
                low=low,
                high=high,
                count=len(columns),
            )
        ]


def _average_classes(pixels: Tensor) -> Tensor:
    """Return the mean IoU, (R,), of pixels (R, 24) in both maps and in one.

    Classes that do not occur do not count.
    """
    return (pixels[:, :_CLASSES] / pixels[:, _CLASSES:]).nanmean(1)
