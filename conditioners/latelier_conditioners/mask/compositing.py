"""Putting the original back where an inpainted picture keeps it."""

from PIL.Image import Image
from PIL.Image import composite as mixed

from latelier.contracts.errors import InvalidInputError


def composited(picture: Image, image: Image, mask: Image) -> Image:
    """Return `picture` where `mask` is white (255), and `image` where it is black (0).

    Decoding changes the pixels that an inpainting model is told to keep; this gives them back.

    Raises:
        InvalidInputError: the three are not of one size.
    """
    if not picture.size == image.size == mask.size:
        sizes = ", ".join(
            "{} {}x{}".format(name, *each.size)
            for name, each in (("picture", picture), ("image", image), ("mask", mask))
        )
        raise InvalidInputError(f"what is composited must be of one size, not {sizes}")
    return mixed(picture, image, mask)
