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


def put_over(premultiplied: Tensor, level: float) -> Tensor:
    """Return images (B, 3, H, W) in [-1, 1] over a grey of this level in [-1, 1].

    Args:
        premultiplied: RGBA (B, 4, H, W) in 0..1, the colours multiplied by alpha.
        level: -1 is black, 1 is white.
    """
    colours, alpha = premultiplied[:, :3], premultiplied[:, 3:]
    return 2 * colours - 1 + (1 + level) * (1 - alpha)
