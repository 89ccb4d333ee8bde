"""Images in inputs that have another aspect than the pictures of a run."""

import math
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from latelier.pipeline.conditioning.rows import Rows
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.request import Size

_TOLERANCE = 0.02
"""A smaller difference of two aspects is that of sides which are rounded to multiples."""

_SPREAD = 1.5
"""A fitting size has at most this many times the pixels of another, or at least this part."""


def warn_of_cropping(parts: PipelineParts, inputs: Rows, size: Size) -> Iterator[str]:
    """Yield a warning for each input with an image that is cropped to pictures of a size."""
    for public, names in parts.inputs.items():
        for name in names:
            found = _find_cropped(parts, name, inputs.get(name, ()), size)
            if found is None:
                continue
            (width, height), (w, h) = size, found
            zoom = min(w / width, h / height)
            wide, high = fit_size(found, size, parts.size_multiple)
            yield (
                f"{public}: the image is {w}x{h}, the picture {width}x{height}: "
                f"{round(width * zoom)}x{round(height * zoom)} around its centre is used; "
                f"`size={wide}x{high}` fits all of it"
            )


def fit_size(aspect: Size, size: Size, multiple: int) -> Size:
    """Return the size nearest in aspect to another, of about as many pixels as `size`.

    Args:
        aspect: a size of the aspect.
        size: has the number of pixels.
        multiple: its sides are multiples of this.
    """
    ratio, pixels = aspect[0] / aspect[1], size[0] * size[1]

    def rate(width: int) -> tuple[float, float]:
        """Return how far a width is from the aspect, and from the number of pixels."""
        height = _round_to(width / ratio, multiple)
        share = abs(math.log(width * height / pixels))
        return max(_difference((width, height), aspect), _TOLERANCE / 2), share

    middle = math.sqrt(pixels * ratio)
    low, high = (_round_to(middle * factor, multiple) for factor in (_SPREAD**-0.5, _SPREAD**0.5))
    width = min(range(low, high + 1, multiple), key=rate)
    return width, _round_to(width / ratio, multiple)


def _find_cropped(
    parts: PipelineParts, name: str, values: Sequence[BaseModel | None], size: Size
) -> Size | None:
    """Return the size of the first image of a conditioner's inputs that is cropped."""
    conditioner = parts.conditioners[name]
    found = (conditioner.cropped_size(value) for value in values if value is not None)
    return next((each for each in found if each and _difference(each, size) > _TOLERANCE), None)


def _difference(one: Size, other: Size) -> float:
    """Return the difference of two aspects, 0 for the same."""
    return abs(math.log(one[0] / one[1] * other[1] / other[0]))


def _round_to(side: float, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple
