"""Standard input types, each with a JSON-schema `format`, so that any host can draw a form.

Image: a PIL image; given as one, as a path, as a data URI, or as an array or tensor: float
    (3, H, W) in [-1, 1], or uint8 (H, W, 3) (format "image").
Mask: a PIL image of mode L, 255 = repaint, 0 = keep; given likewise, as an array bool or uint8
    (H, W). One whose greatest value is 1 is a mask of 0 and 1 (format "mask").
SemanticMap: a PIL image of label ids (mode L, I;16 or P, whose indices are the ids) or of colours
    (RGB); given likewise, as an array whole numbers (H, W) or uint8 (H, W, 3) (format
    "semantic-map").
    All three are turned upright as their EXIF orientation says.
Box: x0, y0, x1, y1 in 0..1, from the upper left corner (format "box").
Color: "#rrggbb"; given as that or as a CSS name (format "color").
"""

import base64
import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    GetCoreSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import core_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture


_PNG_URI = "data:image/png;base64,"

_ORIENTATION = 0x0112
"""The EXIF tag of how the camera was held; 1 is upright."""

_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,")


class _ImageOf:
    """Annotation of a PIL image; Pillow is imported when an image is read.

    converted: makes an image what is wanted. from_array: makes one of an array.
    """

    def __init__(
        self,
        converted: "Callable[[Picture], Picture]",
        from_array: "Callable[[NDArray[Any]], Picture]",
    ) -> None:
        self._converted = converted
        self._from_array = from_array

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _as_data_uri, when_used="json"
            ),
        )

    def _read(self, value: Any) -> "Picture":
        import PIL.Image

        if isinstance(value, PIL.Image.Image):
            return self._converted(_upright(value))
        if hasattr(value, "__array__"):
            return self._from_array(_array(value))
        if not isinstance(value, str | Path):
            raise ValueError(
                f"an image is a PIL image, a path, a data URI or an array, not {value!r:.80}"
            )
        return self._converted(opened_picture(str(value)))


def opened_picture(text: str) -> "Picture":
    """Return the image at a path or in a data URI, upright.

    Raises:
        ValueError: none can be read.
    """
    import PIL.Image

    uri = _DATA_URI.match(text)
    try:
        source = io.BytesIO(base64.b64decode(text[uri.end() :], validate=True)) if uri else text
        with PIL.Image.open(source) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"no image can be read from {text[:80]!r}: {error}") from None
    return _upright(image)


def _upright(image: "Picture") -> "Picture":
    """Return an image as viewers show it: cameras store how they were held beside the pixels."""
    from PIL import ImageOps

    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, struct.error):
        return image  # what cannot be read says nothing of how it was held


def _array(value: Any) -> "NDArray[Any]":
    """Return an array, or a tensor of torch that is on the CPU and needs no gradient, as numpy."""
    import numpy as np

    try:
        array = np.asarray(value)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"this array cannot be read: {error}") from None
    if array.size == 0:
        raise ValueError(f"this array of shape {array.shape} is empty")
    return array


def _as_image(image: "Picture") -> "Picture":
    return image.convert("RGB")


def _image_from_array(array: "NDArray[Any]") -> "Picture":
    import numpy as np
    import PIL.Image

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
    levels = np.rint((array.astype(np.float32) + 1) * 127.5).astype(np.uint8)
    return PIL.Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))


def _as_mask(image: "Picture") -> "Picture":
    grey = image.convert("L")
    return grey.point([0] + 255 * [255]) if grey.getextrema()[1] == 1 else grey


def _mask_from_array(array: "NDArray[Any]") -> "Picture":
    import numpy as np
    import PIL.Image

    if array.dtype not in (np.bool_, np.uint8) or array.ndim != 2:
        raise ValueError(
            "an array that is a mask is bool or uint8 (H, W), "
            f"not {array.dtype} of shape {array.shape}"
        )
    return _as_mask(PIL.Image.fromarray(array.astype(np.uint8)))


_LABELS = ("1", "I", "I;16", "I;16L", "I;16B")

_COLOURS = {"RGBA": "RGB", "RGBX": "RGB", "LA": "L"}


def _as_semantic_map(image: "Picture") -> "Picture":
    import numpy as np

    if image.mode in ("L", "P", "RGB"):
        return image.copy()
    if image.mode in _COLOURS:
        return image.convert(_COLOURS[image.mode])
    if image.mode in _LABELS:
        return _semantic_map_from_array(np.asarray(image))
    raise ValueError(
        "a semantic map is an image of label ids (grey or palette) or of colours, "
        f"not of mode {image.mode}"
    )


def _semantic_map_from_array(array: "NDArray[Any]") -> "Picture":
    import numpy as np
    import PIL.Image

    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return PIL.Image.fromarray(array)
    if array.dtype.kind not in "biu" or array.ndim != 2:
        raise ValueError(
            "an array that is a semantic map is whole numbers (H, W) or uint8 (H, W, 3), "
            f"not {array.dtype} of shape {array.shape}"
        )
    least, greatest = int(array.min()), int(array.max())
    if least < 0 or greatest > 65535:
        wrong = least if least < 0 else greatest
        pixels = int((array == wrong).sum())
        raise ValueError(f"labels are from 0 to 65535; this map has {wrong} in {pixels} pixels")
    return PIL.Image.fromarray(array.astype(np.uint8 if greatest < 256 else np.uint16))


Image = Annotated[
    Any,
    _ImageOf(_as_image, _image_from_array),
    WithJsonSchema({"type": "string", "format": "image"}),
]

Mask = Annotated[
    Any,
    _ImageOf(_as_mask, _mask_from_array),
    WithJsonSchema({"type": "string", "format": "mask"}),
]

SemanticMap = Annotated[
    Any,
    _ImageOf(_as_semantic_map, _semantic_map_from_array),
    WithJsonSchema({"type": "string", "format": "semantic-map"}),
]


def _as_data_uri(image: "Picture") -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return _PNG_URI + base64.b64encode(buffer.getvalue()).decode()
