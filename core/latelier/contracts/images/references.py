"""Reference pictures: what a model is shown of the objects that it draws.

Reference: a PIL image of mode RGBA, or the name (text) or number of an entry in the database of the
    model, which the run replaces by its picture. A picture is given as for `Image`, and an array
    may be uint8 (H, W, 4). A text is a path if it has a slash or ends like the file of a picture
    and its source is trusted, otherwise a name. The JSON-schema `format` is "reference".
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ValidationInfo, WithJsonSchema
from typing_extensions import override

from latelier.contracts.frozen import is_trusted
from latelier.contracts.images.modes import rgba_from_array, to_rgba
from latelier.contracts.images.reading import (
    MAX_UNTRUSTED_PIXELS,
    is_data_uri,
    open_picture,
)
from latelier.contracts.images.types import ImageOf

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_NAME = 200
"""Most characters of the name of an entry."""

_VISIBLE = 32
"""Alpha, 0 to 255, above which a pixel counts as visible: shadows and stray pixels do not."""

_ANIMATIONS = ("GIF", "PNG", "WEBP")
"""Formats of animations. Others have several pictures for other reasons: pages, previews."""

_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".svg")


def read_reference(path: Path) -> "Image":
    """Return the reference picture in a file, RGBA.

    Raises:
        ValueError: it is no picture, is empty, too large, an animation or transparent everywhere.
    """
    return _to_visible(open_picture(str(path), check=_check_header))


def visible_box(image: "Image") -> tuple[int, int, int, int] | None:
    """Return the box, left, top, right and bottom in pixels, of what is visible; None if nothing.

    Args:
        image: RGBA, or RGBa, so premultiplied by alpha.
    """
    return visible_mask(image).getbbox()


def visible_mask(image: "Image") -> "Image":
    """Return where a picture, RGBA or RGBa, is visible: 255 there and 0 elsewhere, mode L."""
    return image.getchannel(3).point([0] * (_VISIBLE + 1) + [255] * (255 - _VISIBLE))


def _check_header(image: "Image") -> None:
    """Refuse a picture that is empty, too large or an animation.

    Raises:
        ValueError: says which.
    """
    width, height = image.size
    if 0 in image.size:
        raise ValueError(f"it is empty: it has {width} x {height} pixels")
    if width * height > MAX_UNTRUSTED_PIXELS:
        raise ValueError(
            f"it has {width} x {height} pixels, and a reference at most {MAX_UNTRUSTED_PIXELS:,}; "
            "give a smaller picture"
        )
    if image.format in _ANIMATIONS and getattr(image, "is_animated", False):
        count = getattr(image, "n_frames", 2)
        raise ValueError(f"it is an animation of {count} pictures; give one of them")


def _to_visible(image: "Image") -> "Image":
    """Return a picture as RGBA.

    Raises:
        ValueError: it is transparent everywhere.
    """
    image = to_rgba(image)
    if visible_box(image) is None:
        raise ValueError("it is transparent everywhere; give a picture that shows something")
    return image


class _ReferenceType(ImageOf):
    """Annotation of a field that holds a picture with alpha, or the name or number of an entry."""

    def __init__(self) -> None:
        super().__init__(
            _to_visible, lambda array: _to_visible(rgba_from_array(array)), _check_header
        )

    @override
    def _read(self, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool):  # Python counts True and False as integers
            raise ValueError("a reference is a picture, a name or a number, not true or false")
        if isinstance(value, int) and value >= 0:
            return value
        if isinstance(value, str) and not _is_picture(value, trusted=is_trusted(info)):
            return _read_name(value)
        return super()._read(value, info)

    @override
    def _to_json(self, value: Any) -> Any:
        return value if isinstance(value, str | int) else super()._to_json(value)


def _is_picture(text: str, *, trusted: bool) -> bool:
    """Return whether a text is a data URI or a path, and not a name."""
    return is_data_uri(text) or (
        trusted and ("/" in text or "\\" in text or text.lower().endswith(_SUFFIXES))
    )


def _read_name(text: str) -> str:
    name = text.strip()
    if not name:
        raise ValueError("the name is empty; give a picture, or the name of one in the database")
    if len(name) > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} characters, not {len(name)}")
    return name


Reference = Annotated[
    Any,
    _ReferenceType(),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "reference"}, {"type": "integer", "minimum": 0}]}
    ),
]
