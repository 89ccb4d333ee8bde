"""Boxes in pixels, as annotation tools write them."""

from collections.abc import Sequence
from typing import Any

from latelier.contracts.errors import DataError


def convert_box(
    box: Sequence[Any], size: tuple[int, int], where: str
) -> tuple[float, float, float, float]:
    """Return a box x, y, width, height in pixels as x0, y0, x1, y1 in 0..1.

    The part outside of the picture is cut off.

    Args:
        box: the four numbers.
        size: width and height of the picture.
        where: what errors begin with.

    Raises:
        DataError: there are not four numbers, or the box has no area inside of the picture.
    """
    try:
        x, y, width, height = (float(number) for number in box)
    except (TypeError, ValueError):
        raise DataError(f"{where}: expected a box x, y, width, height, got {box!r:.80}") from None
    x0, x1 = (min(max(side / size[0], 0.0), 1.0) for side in (x, x + width))
    y0, y1 = (min(max(side / size[1], 0.0), 1.0) for side in (y, y + height))
    if not (x0 < x1 and y0 < y1):
        raise DataError(
            f"{where}: the box {x:g}, {y:g}, {width:g}, {height:g} has no area inside of the "
            f"picture of {size[0]} x {size[1]} pixels"
        )
    return x0, y0, x1, y1
