"""A1111's masked content "fill": the masked area begins with the colours around it."""

from PIL import Image, ImageFilter, ImageOps

_RADII = (256, 128, 64, 32, 16, 8, 4, 2, 0)
"""Of the blurs in pixels. A smaller one lies over a larger, where it reaches."""


def fill_masked(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a picture whose masked area continues what is around it.

    Args:
        picture: RGB.
        mask: of its size and of mode L, white where the picture is filled.
    """
    known = picture.copy()
    known.putalpha(ImageOps.invert(mask))
    weighted = known.convert("RGBa")  # what is masked has no weight in a blur
    filled = Image.new("RGBA", picture.size)
    for radius in _RADII:
        filled.alpha_composite(weighted.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA"))
    return filled.convert("RGB")
