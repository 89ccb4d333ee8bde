"""What inpainting keeps, and what it puts into the hole."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.measures.configs import NoOptions
from latelier.evaluation.measures.estimates import share
from latelier.evaluation.measures.psnr import average_psnr


class MaskedRegion:
    """Whether no known pixel has changed, and how exactly the hole is the original."""

    needs: ClassVar[frozenset[str]] = frozenset({"originals", "mask"})

    def __init__(self, config: NoOptions) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "known_exact", bool (B,), and "hole_psnr", float32 (B,) in dB, NaN without a hole.

        Raises:
            InvalidInputError: a mask has another size than its picture.
        """
        assert pictures.originals is not None
        holes = torch.stack([_read_hole(each["mask"]) for each in pictures.samples])
        if holes.shape[1:] != pictures.images.shape[2:]:
            raise InvalidInputError(
                f"expected masks of the size of the pictures, {tuple(pictures.images.shape[2:])}, "
                f"got {tuple(holes.shape[1:])}"
            )
        holes = holes[:, None].to(pictures.images.device)
        errors = (pictures.images.double() - pictures.originals.double()).square()
        inside = (errors * holes).sum((1, 2, 3)) / (3 * holes.sum((1, 2, 3)))
        return {
            "known_exact": (errors * ~holes).sum((1, 2, 3)) == 0,
            "hole_psnr": (10 * torch.log10(255**2 / inside)).float(),
        }

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return "known_exact" and, of pictures with a hole, "hole_psnr"."""
        exact, inside = records.column("known_exact"), records.column("hole_psnr")
        figures = [
            Figure(name="known_exact", title="Known pixels exact", better="higher", **share(exact))
        ]
        holes = inside[~inside.isnan()]
        if len(holes):
            figures.append(average_psnr("hole_psnr", "PSNR in the hole", holes))
        return figures


def _read_hole(mask: object) -> Tensor:
    """Return where a mask, a picture or an array (H, W), is not black, bool (H, W)."""
    return torch.from_numpy(np.array(mask)) > 0
