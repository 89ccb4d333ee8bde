"""Whether the objects of scenes are in their boxes."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.detector.outcomes import RIGHT_BOX, list_ious, match_objects
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import ratio
from latelier.evaluation.measures.scenes.reading import read_scene_pictures


class SceneLayout:
    """How well pictures follow the layout of their scene."""

    needs: ClassVar[frozenset[str]] = frozenset({"scene"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return numbers of each picture, float64 (B,).

        "boxes" of the scene; "right", those of which the IoU with the right object is at least 0.5;
        "iou", the sum of all IoUs, 0 for objects that are missing.
        """
        reading, scenes = read_scene_pictures(pictures)
        ious = [
            list_ious(found, [each.box for each in scene.objects])
            for found, scene in zip(match_objects(reading, scenes), scenes, strict=True)
        ]
        numbers = {
            "boxes": [len(each) for each in ious],
            "right": [sum(iou >= RIGHT_BOX for iou in each) for each in ious],
            "iou": [sum(each) for each in ious],
        }
        return {name: torch.tensor(each, dtype=torch.float64) for name, each in numbers.items()}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return "layout", the share of boxes that are right, and "box_iou", their mean IoU."""
        boxes, right, iou = (records.column(name) for name in ("boxes", "right", "iou"))
        return [
            Figure(
                name="layout",
                title="Right object at IoU 0.5 with its box",
                better="higher",
                **ratio(right, boxes),
            ),
            Figure(name="box_iou", title="Mean IoU of boxes", better="higher", **ratio(iou, boxes)),
        ]
