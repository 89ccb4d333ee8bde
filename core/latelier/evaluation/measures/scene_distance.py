"""The perceptual distance of pictures from their originals by the scene detector, which ships."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.images.pixels import normalize
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import mean
from latelier.metrics.features import load_scene_features


class SceneDistance:
    """How different pictures look from their originals to a detector of emoji scenes."""

    needs: ClassVar[frozenset[str]] = frozenset({"originals"})

    def __init__(self, config: NoOptions) -> None:  # noqa: ARG002
        """Read the weights."""
        self._network = load_scene_features()

    @torch.inference_mode()
    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "distance", float32 (B,).

        Raises:
            InvalidInputError: the sides of the pictures are no multiples of 16.
        """
        assert pictures.originals is not None
        network = self._network.to(pictures.images.device)
        return {"distance": network(normalize(pictures.images), normalize(pictures.originals))}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return the mean over all pictures."""
        return [
            Figure(
                name="scene_distance",
                title="Perceptual distance (scene features, not LPIPS)",
                better="lower",
                **mean(records.column("distance")),
            )
        ]
