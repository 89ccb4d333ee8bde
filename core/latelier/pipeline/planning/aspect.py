"""Images in inputs that have another aspect than the pictures of a run."""

import math
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from latelier.contracts.images.cropping import fit_aspect
from latelier.pipeline.conditioning.rows import Rows
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.request import Size

_TOLERANCE = 0.02
"""A smaller difference of two aspects is that of sides which are rounded to multiples."""

_SPREAD = 2
"""A fitting size has at most this many times the pixels of another, and at least half of them."""


def warn_of_cropping(parts: PipelineParts, inputs: Rows, size: Size) -> Iterator[str]:
    """Yield a warning for each input with an image that is cropped to pictures of a size."""
    for public, names in parts.inputs.items():
        for name in names:
            found = _find_cropped(parts, name, inputs.get(name, ()), size)
            if found is None:
                continue
            (width, height), (w, h) = size, found
            kept = fit_aspect(found, size)
            fitting = fit_size(found, size, parts.size_multiple)
            hint = "" if fitting is None else f"; `size={fitting[0]}x{fitting[1]}` fits all of it"
            yield (
                f"{public}: the image is {w}x{h}, the picture {width}x{height}: "
                f"{kept[0]}x{kept[1]} around its centre is used{hint}"
            )


def fit_size(aspect: Size, size: Size, multiple: int) -> Size | None:
    """Return the size of an aspect that has about as many pixels as `size`; None without one.

    Args:
        aspect: a size of the aspect.
        size: has the number of pixels.
        multiple: its sides are multiples of this.
    """
    ratio, pixels = aspect[0] / aspect[1], size[0] * size[1]

    middle = math.sqrt(pixels * ratio)
    low, high = (_round_to(middle * factor, multiple) for factor in (_SPREAD**-0.5, _SPREAD**0.5))
    sizes = [(each, _round_to(each / ratio, multiple)) for each in range(low, high + 1, multiple)]
    fitting = [each for each in sizes if _difference(each, aspect) <= _TOLERANCE]
    return min(fitting, key=lambda each: abs(math.log(each[0] * each[1] / pixels)), default=None)


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
