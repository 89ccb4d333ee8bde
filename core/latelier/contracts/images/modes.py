"""Pictures of every mode, and arrays, as one of four things: RGB, RGBA, a mask, a semantic map."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

WHITE = 128
"""The lowest level of a mask that counts as white, which is repainted."""

_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of grey pictures with more than 8 bits."""

_LABELS = ("1", *_DEEP)

_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
"""Modes whose colours are multiplied by alpha, and the same ones without that."""

_OPAQUE = {"RGBA": "RGB", "RGBX": "RGB", "LA": "L"}
"""Modes with a channel that a semantic map does not use, and the same ones without it."""


def to_rgb(image: "Image") -> "Image":
    """Return a picture as RGB. Transparent pixels are composited over white, as viewers show them.

    Raises:
        ValueError: the mode has no known range or conversion.
    """
    import PIL.Image

    image = _to_8_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = PIL.Image.new("RGBA", image.size, "white")
    return PIL.Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def to_rgba(image: "Image") -> "Image":
    """Return a picture as RGBA; one without transparency is opaque.

    Raises:
        ValueError: the mode has no known range or conversion.
    """
    image = _to_8_bits(image)
    return image.convert("RGB").convert("RGBA") if image.mode == "LAB" else image.convert("RGBA")


def to_mask(image: "Image") -> "Image":
    """Return a picture as a mask, of mode L.

    A mask drawn in one colour on a transparent canvas is its alpha channel. In several colours, the
    canvas is black. A mask whose greatest level is 1 is one of 0 and 1, which become 0 and 255.

    Raises:
        ValueError: the mode has no known range.
    """
    import numpy as np
    import PIL.Image

    if image.mode == "LAB":
        image = image.convert("RGB")  # Pillow knows no direct conversion to grey
    if image.mode in _DEEP and np.asarray(image).max() == 1:
        image = _replace_levels(image, np.asarray(image))
    # levels of 16 bits that are 1 after scaling are dark, and not those of a mask of 0 and 1
    finish = _keep if image.mode in _DEEP else _spread_0_and_1
    image = _to_8_bits(image)
    if not image.has_transparency_data:
        return finish(image.convert("L"))
    rgba = image.convert("RGBA")
    if _is_drawn_in_one_colour(rgba):
        return finish(rgba.getchannel("A"))
    black = PIL.Image.new("RGBA", image.size, "black")
    return finish(PIL.Image.alpha_composite(black, rgba).convert("L"))


def to_semantic_map(image: "Image") -> "Image":
    """Return a picture of label ids (mode L, I;16 or P) or of colours (RGB).

    Raises:
        ValueError: the mode has no labels, or an id is out of range.
    """
    import numpy as np

    if image.mode in ("L", "P", "RGB"):
        return image.copy()
    if image.mode == "PA":
        return image.getchannel("P")
    if image.mode in _STRAIGHT:
        image = image.convert(_STRAIGHT[image.mode])
    if image.mode in _OPAQUE:
        return image.convert(_OPAQUE[image.mode])
    if image.mode in _LABELS:
        return semantic_map_from_array(np.asarray(image))
    raise ValueError(
        "a semantic map is an image of label ids (grey or palette) or of colours, "
        f"not of mode {image.mode}"
    )


def image_from_array(array: "NDArray[Any]") -> "Image":
    """Return the RGB picture of an array: float (3, H, W) in [-1, 1], or uint8 (H, W, 3).

    Raises:
        ValueError: the array has another shape, dtype or range.
    """
    import numpy as np
    import PIL.Image
    import torch

    from latelier.contracts.images.pixels import tensor_to_pil

    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return PIL.Image.fromarray(array)
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[0] != 3:
        raise ValueError(
            "an array that is an image is float (3, H, W) in [-1, 1] or uint8 (H, W, 3), "
            f"not {array.dtype} of shape {array.shape}"
        )
    if not (abs(array) <= 1).all():
        raise ValueError(
            f"an image of floats is in [-1, 1], and this one from {array.min()} to {array.max()}"
        )
    return tensor_to_pil(torch.tensor(array.astype(np.float32))[None])[0]


def rgba_from_array(array: "NDArray[Any]") -> "Image":
    """Return the RGBA picture of an array: uint8 (H, W, 4), or one that is an RGB picture.

    Raises:
        ValueError: the array has another shape, dtype or range.
    """
    import numpy as np
    import PIL.Image

    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 4:
        return PIL.Image.fromarray(array)
    return image_from_array(array).convert("RGBA")


def mask_from_array(array: "NDArray[Any]") -> "Image":
    """Return the mask of an array, bool or uint8 (H, W); see `to_mask`.

    Raises:
        ValueError: the array has another shape or dtype.
    """
    import numpy as np
    import PIL.Image

    if array.dtype not in (np.bool_, np.uint8) or array.ndim != 2:
        raise ValueError(
            "an array that is a mask is bool or uint8 (H, W), "
            f"not {array.dtype} of shape {array.shape}"
        )
    return to_mask(PIL.Image.fromarray(array.astype(np.uint8)))


def semantic_map_from_array(array: "NDArray[Any]") -> "Image":
    """Return the semantic map of an array: whole numbers (H, W), or uint8 colours (H, W, 3).

    Raises:
        ValueError: the array has another shape or dtype, or an id outside 0..65535.
    """
    import numpy as np
    import PIL.Image

    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return PIL.Image.fromarray(array)
    if array.dtype.kind not in "biu" or array.ndim != 2:
        raise ValueError(
            "an array that is a semantic map is whole numbers (H, W) or uint8 (H, W, 3), "
            f"not {array.dtype} of shape {array.shape}"
        )
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest > 65535:
        wrong = lowest if lowest < 0 else highest
        pixels = int((array == wrong).sum())
        raise ValueError(f"labels are from 0 to 65535; this map has {wrong} in {pixels} pixels")
    return PIL.Image.fromarray(array.astype(np.uint8 if highest < 256 else np.uint16))


def _to_8_bits(image: "Image") -> "Image":
    """Return a picture of 8 bits whose colours do not depend on alpha.

    A grey picture of 16 bits is scaled; Pillow itself would clip it to white.

    A transparent level becomes an alpha channel, since different levels may become the same one.
    Pillow defines no range for mode I: levels above 255 mean 16 bits.

    Raises:
        ValueError: the picture has levels above 16 bits, below 0, or of floating point.
    """
    import numpy as np

    if image.mode in _STRAIGHT:
        return image.convert(_STRAIGHT[image.mode])
    if image.mode == "RGB":
        return _with_key_of_8_bits(image)
    if image.mode == "F":
        raise ValueError("an image of floating point (mode F) has no known range; save it as RGB")
    if image.mode not in _DEEP:
        return image
    levels = np.asarray(image)
    lowest, highest = int(levels.min()), int(levels.max())
    if lowest < 0 or highest > 65535:
        raise ValueError(f"levels are from 0 to 65535, not from {lowest} to {highest}")
    if image.mode != "I" or highest > 255:
        levels = np.rint(levels / 257)  # 65535 / 255
    return _replace_levels(image, levels)


def _replace_levels(image: "Image", levels: "NDArray[Any]") -> "Image":
    """Return `levels` of 8 bits as a picture, transparent where the grey picture `image` is."""
    import numpy as np
    import PIL.Image

    grey = PIL.Image.fromarray(levels.astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    alpha = np.where(np.asarray(image) == transparent, 0, 255).astype(np.uint8)
    return PIL.Image.merge("LA", (grey, PIL.Image.fromarray(alpha)))


def _with_key_of_8_bits(image: "Image") -> "Image":
    """Return an RGB picture whose transparent colour is of 8 bits, as Pillow decodes pixels.

    Pillow keeps the high byte of each channel of a PNG of 16 bits, but all of the transparent
    colour, which no pixel then has.
    """
    key = image.info.get("transparency")
    if not isinstance(key, tuple) or max(key) < 256:
        return image
    image = image.copy()
    image.info["transparency"] = tuple(level >> 8 for level in key)
    return image


def _keep(grey: "Image") -> "Image":
    return grey


def _spread_0_and_1(grey: "Image") -> "Image":
    """Return a mask of the levels 0 and 1 as one of 0 and 255, and any other as it is."""
    return grey.point([0] + 255 * [255]) if grey.getextrema()[1] == 1 else grey


def _is_drawn_in_one_colour(rgba: "Image") -> bool:
    """Return whether the alpha channel varies and the colour of visible pixels does not."""
    import numpy as np

    pixels = np.asarray(rgba)
    alpha = pixels[..., 3]
    colours = pixels[alpha > 0][:, :3]
    return bool((alpha != alpha.flat[0]).any() and (colours == colours[0]).all())
