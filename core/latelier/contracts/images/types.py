"""Types of pictures for the fields of inputs, each with a JSON-schema `format`.

A value is given as a PIL image, a path, a data URI, or an array or tensor. Pictures are turned
upright as their EXIF orientation says, and an animation stands for its first picture. An untrusted
source (see `is_trusted`) may only send data URIs.

Image: a PIL image of mode RGB; an array is float (3, H, W) in [-1, 1] or uint8 (H, W, 3).
Mask: a PIL image of mode L, 255 = repaint, 0 = keep; an array is bool or uint8 (H, W).
SemanticMap: a PIL image of label ids (mode L, I;16 or P, whose indices are the ids) or of colours
    (RGB); an array is whole numbers (H, W) or uint8 (H, W, 3).
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidationInfo, WithJsonSchema
from pydantic_core import core_schema

from latelier.contracts.frozen import is_trusted
from latelier.contracts.images.modes import (
    image_from_array,
    mask_from_array,
    semantic_map_from_array,
    to_mask,
    to_rgb,
    to_semantic_map,
)
from latelier.contracts.images.reading import (
    accept_any,
    open_picture,
    to_data_uri,
    turn_upright,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture


class ImageOf:
    """Annotation of a field that holds a PIL image. Pillow is imported when one is read.

    Args:
        convert: makes the picture that is stored of any other.
        from_array: makes it of an array.
        check: refuses a picture by its size or format, before a file is decoded.
    """

    def __init__(
        self,
        convert: "Callable[[Picture], Picture]",
        from_array: "Callable[[NDArray[Any]], Picture]",
        check: "Callable[[Picture], None]" = accept_any,
    ) -> None:
        self._convert = convert
        self._from_array = from_array
        self._check = check

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self._to_json, when_used="json"
            ),
        )

    def _read(self, value: Any, info: ValidationInfo) -> "Picture":
        import PIL.Image

        if isinstance(value, PIL.Image.Image):
            self._check(value)
            return self._convert(turn_upright(value))
        if hasattr(value, "__array__"):
            return self._from_array(_to_array(value))
        if not isinstance(value, str | Path):
            raise ValueError(
                f"an image is a PIL image, a path, a data URI or an array, not {value!r:.80}"
            )
        return self._convert(open_picture(str(value), trusted=is_trusted(info), check=self._check))

    def _to_json(self, value: "Picture") -> str:
        return to_data_uri(value)


def _to_array(value: Any) -> "NDArray[Any]":
    """Return an array, or a tensor of torch that is on the CPU and needs no gradient, as numpy."""
    import numpy as np

    try:
        array = np.asarray(value)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"this array cannot be read: {error}") from None
    if array.size == 0:
        raise ValueError(f"this array of shape {array.shape} is empty")
    return array


Image = Annotated[
    Any,
    ImageOf(to_rgb, image_from_array),
    WithJsonSchema({"type": "string", "format": "image"}),
]

Mask = Annotated[
    Any,
    ImageOf(to_mask, mask_from_array),
    WithJsonSchema({"type": "string", "format": "mask"}),
]

SemanticMap = Annotated[
    Any,
    ImageOf(to_semantic_map, semantic_map_from_array),
    WithJsonSchema({"type": "string", "format": "semantic-map"}),
]
