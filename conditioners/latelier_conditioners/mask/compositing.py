"""Restores the original pixels outside the mask of an inpainted picture.

This is for models that were trained to inpaint. `latelier.pipeline.editing.inpaint` inpaints with
other models.
"""

import PIL.Image
from PIL.Image import Image

from latelier.contracts.errors import InvalidInputError


def composite(picture: Image, image: Image, mask: Image) -> Image:
    """Return `picture` where `mask` is white (255), and `image` where it is black (0).

    Decoding also changes pixels outside the mask. This restores them.

    Raises:
        InvalidInputError: `picture`, `image` and `mask` differ in size.
    """
    if not picture.size == image.size == mask.size:
        sizes = ", ".join(
            "{} {}x{}".format(name, *each.size)
            for name, each in (("picture", picture), ("image", image), ("mask", mask))
        )
        raise InvalidInputError(f"compositing needs one size, not {sizes}")
    return PIL.Image.composite(picture, image, mask)
