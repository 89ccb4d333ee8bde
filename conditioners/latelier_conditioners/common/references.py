"""What the conditioners of reference pictures have in common."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from latelier.contracts.errors import InvalidInputError


def check_references(pictures: Sequence[Any], most: int) -> None:
    """Check that references are pictures, and not too many.

    Raises:
        InvalidInputError: there are more than `most`, or a name in place of a picture.
    """
    if len(pictures) > most:
        raise InvalidInputError(
            f"there are {len(pictures)} reference pictures, but at most {most} fit"
        )
    name = next((each for each in pictures if isinstance(each, str | int)), None)
    if name is not None:
        raise InvalidInputError(
            f"expected a picture, got {name!r}: this model has no database of pictures"
        )


def put_over_grey(premultiplied: Tensor) -> tuple[Tensor, Tensor]:
    """Return images (B, 3, H, W) in [-1, 1] over the grey 0, and their alpha (B, 1, H, W) in 0..1.

    Args:
        premultiplied: RGBA (B, 4, H, W) in 0..1, the colours multiplied by alpha.
    """
    colours, alpha = premultiplied[:, :3], premultiplied[:, 3:]
    # in 0..1 it is colours + (1 - alpha) / 2
    return 2 * colours - alpha, alpha
