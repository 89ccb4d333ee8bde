"""The peak signal-to-noise ratio of pictures to their originals."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from latelier.contracts.images.pixels import normalize
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import mean
from latelier.metrics.psnr import psnr

MAX_DB = 100
"""As which a picture counts that equals its original, whose ratio is infinite."""


class Psnr:
    """How exactly pictures repeat the pixels of their originals."""

    needs: ClassVar[frozenset[str]] = frozenset({"originals"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "psnr", float32 (B,), in dB."""
        assert pictures.originals is not None
        return {"psnr": psnr(normalize(pictures.images), normalize(pictures.originals))}

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return the mean over all pictures."""
        return [average_psnr("psnr", "PSNR", records.column("psnr"))]


def average_psnr(name: str, title: str, values: Tensor) -> Figure:
    """Return the figure of the ratios of pictures, (N,) in dB, of which some may be infinite."""
    equal = int(values.isinf().sum())
    return Figure(
        name=name,
        title=title,
        better="higher",
        unit="dB",
        note=f"{title}: {equal:,} equal to the original count as {MAX_DB} dB" if equal else "",
        **mean(values.clamp(max=MAX_DB)),
    )
