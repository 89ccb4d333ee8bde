"""The structural similarity of pictures to their originals."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from latelier.contracts.images.pixels import normalize
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import mean
from latelier.metrics.ssim import ssim


class Ssim:
    """How far pictures repeat the structure of their originals."""

    needs: ClassVar[frozenset[str]] = frozenset({"originals"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "ssim", float32 (B,)."""
        assert pictures.originals is not None
        return {"ssim": ssim(normalize(pictures.images), normalize(pictures.originals))}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return the mean over all pictures."""
        values = records.column("ssim")
        return [Figure(name="ssim", title="SSIM", better="higher", **mean(values))]
