"""Whether the objects of scenes are there, and placed as captions say."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.detector.outcomes import is_first_choice, is_related, match_objects
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import ratio, share
from latelier.evaluation.measures.scenes.reading import read_scene_pictures


class SceneObjects:
    """Which objects of its scene a picture shows."""

    needs: ClassVar[frozenset[str]] = frozenset({"scene"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return numbers of each picture, int64 (B,).

        "objects" of the scene, "seen" of them; "relations" that the caption states, "related" as it
        states; "first_choice", 1 if the largest object seen is the scene's first.
        """
        reading, scenes = read_scene_pictures(pictures)
        found = match_objects(reading, scenes)
        numbers = {
            "objects": [len(scene.objects) for scene in scenes],
            "seen": [sum(each is not None for each in objects) for objects in found],
            "relations": [len(scene.claims.relations) for scene in scenes],
            "related": [
                sum(is_related(claim, objects) for claim in scene.claims.relations)
                for objects, scene in zip(found, scenes, strict=True)
            ],
            "first_choice": [
                int(is_first_choice(objects, scene))
                for objects, scene in zip(reading.objects, scenes, strict=True)
            ],
        }
        return {name: torch.tensor(each) for name, each in numbers.items()}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return "all_present", "object", and where there are any "first_choice" and "relation".

        "first_choice" is of scenes with one object.
        """
        objects, seen = records.column("objects"), records.column("seen")
        relations, related = records.column("relations"), records.column("related")
        lone = objects == 1
        figures = [
            Figure(
                name="all_present",
                title="All objects seen",
                better="higher",
                **share(seen == objects),
            ),
            Figure(name="object", title="Objects seen", better="higher", **ratio(seen, objects)),
        ]
        if lone.any():
            choices = records.column("first_choice")[lone] > 0
            figures.append(
                Figure(
                    name="first_choice",
                    title="Lone object is the detector's first choice",
                    better="higher",
                    **share(choices),
                )
            )
        if relations.any():
            figures.append(
                Figure(
                    name="relation",
                    title="Relations right",
                    better="higher",
                    **ratio(related, relations),
                )
            )
        return figures
