"""A1111's "only masked": the part around the mask is repainted as a picture of its own."""

import io
from dataclasses import dataclass
from typing import Self

from latelier.provenance.image_files import encode_image, provenance_of
from PIL import Image

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a picture that is repainted at another size, and then put back.

    Attributes:
        picture: the whole one, RGB.
        mask: of its size and of mode L; levels between black and white blend.
        box: left, top, right and bottom of the part.
    """

    picture: Image.Image
    mask: Image.Image
    box: Box

    @classmethod
    def around(
        cls, picture: Image.Image, mask: Image.Image, margin: int, size: tuple[int, int] | None
    ) -> Self:
        """Return the part with all that is not black in a mask, in the proportions of `size`.

        Where the picture is too small for the proportions, the part ends with the picture.
        """
        left, top, right, bottom = mask.getbbox() or (0, 0, *mask.size)
        left, right = max(0, left - margin), min(mask.width, right + margin)
        top, bottom = max(0, top - margin), min(mask.height, bottom + margin)
        width, height = right - left, bottom - top
        if size is not None:
            ratio = size[0] / size[1]
            width, height = max(width, round(height * ratio)), max(height, round(width / ratio))
        left, right = _widen(left, right, width, mask.width)
        top, bottom = _widen(top, bottom, height, mask.height)
        return cls(picture, mask, (left, top, right, bottom))

    def put_back(self, repainted: bytes) -> bytes:
        """Return the whole picture with the repainted part, as PNGs, with the part's provenance."""
        left, top, right, bottom = self.box
        with Image.open(io.BytesIO(repainted)) as image:
            provenance = provenance_of(image, "picture")
            part = image.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        whole = self.picture.copy()
        whole.paste(part, self.box, self.mask.crop(self.box))
        return encode_image(whole, provenance)


def has_black_cell(mask: Image.Image, size: tuple[int, int], cell: int) -> bool:
    """Return whether a mask of a part leaves a whole cell of the latents as it is.

    If not, all of the part is repainted: what is black in the mask comes back where it is put back.

    Args:
        mask: black and white, of mode L.
        size: (width, height) at which the part is repainted.
        cell: side of a cell in pixels.
    """
    cells = mask.resize(size, Image.Resampling.BOX).reduce(cell)
    darkest, _ = cells.getextrema()
    return darkest == 0


def _widen(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    """Return a range of `length` around another, inside of 0 to `limit`."""
    length = min(length, limit)
    start = min(max(0, (low + high - length) // 2), limit - length)
    return start, start + length
