"""The perceptual distance of pictures from their originals by VGG16, with published weights."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.checkpoints.io.hub import find_local
from latelier.contracts.images.pixels import normalize
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import LpipsConfig
from latelier.evaluation.measures.estimates import mean
from latelier.metrics.lpips import load_lpips
from latelier.metrics.networks.checks import full_precision, hash_weights


class LpipsDistance:
    """How different pictures look from their originals."""

    needs: ClassVar[frozenset[str]] = frozenset({"originals"})

    def __init__(self, config: LpipsConfig) -> None:
        """Read the weights.

        Raises:
            ModelFileError: a file is missing or damaged, or of another network. Nothing is fetched.
        """
        self._network = load_lpips([find_local(name) for name in config.files])
        self.identity = f"LPIPS, weights {hash_weights(self._network)}"

    @torch.inference_mode()
    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "lpips", float32 (B,)."""
        assert pictures.originals is not None
        network = self._network.to(pictures.images.device)
        with full_precision():
            return {"lpips": network(normalize(pictures.images), normalize(pictures.originals))}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return the mean over all pictures."""
        values = records.column("lpips")
        return [Figure(name="lpips", title="LPIPS (VGG16)", better="lower", **mean(values))]
