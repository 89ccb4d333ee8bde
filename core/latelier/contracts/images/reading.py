"""Opening pictures: from a path, or from a data URI."""

import base64
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_UNTRUSTED_PIXELS = 2**25
"""Most pixels of a picture from an untrusted source, such as a request to a server: 33 million."""

MAX_UNTRUSTED_TOTAL = 2**27
"""Most pixels of all pictures of one untrusted request together: 134 million."""

MAX_SIDE = 65_535
"""Longest side of a picture, in pixels."""

_pixels_left: ContextVar[list[int] | None] = ContextVar("_pixels_left", default=None)
"""What is left of the pixels of a request, in a list of one; None outside of a request."""

_UNTRUSTED_FORMATS = ("PNG", "JPEG", "WEBP")
"""What an untrusted source may send. Pillow opens more, some by way of other programs."""

_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,")

_PNG_URI = "data:image/png;base64,"

_ORIENTATION = 0x0112
"""The EXIF tag of how the camera was held; 1 is upright."""


@contextmanager
def limit_total_pixels(pixels: int | None = None) -> Iterator[None]:
    """Limit the pixels of all untrusted pictures that are opened inside of a `with` block.

    Args:
        pixels: the most; MAX_UNTRUSTED_TOTAL by default.
    """
    token = _pixels_left.set([MAX_UNTRUSTED_TOTAL if pixels is None else pixels])
    try:
        yield
    finally:
        _pixels_left.reset(token)


def accept_any(_image: "Image") -> None:
    """Accept a picture of any size and format."""


def open_picture(
    text: str, *, trusted: bool = True, check: "Callable[[Image], None]" = accept_any
) -> "Image":
    """Return the picture at a path or in a data URI: upright, and the first of an animation.

    Args:
        text: the path or the data URI.
        trusted: False: accept a data URI only, so that no file is opened, and check its format and
            its size before it is decoded.
        check: raises ValueError for a picture that is not accepted, before it is decoded.

    Raises:
        ValueError: there is no picture, or it is not accepted from an untrusted source.
    """
    uri = _DATA_URI.match(text)
    if not trusted and uri is None:
        raise ValueError(
            "expected a picture as a data URI, 'data:image/png;base64,...': "
            "a path or a URL is not opened for a client"
        )
    try:
        source = io.BytesIO(base64.b64decode(text[uri.end() :], validate=True)) if uri else text
        return _decode(source, trusted, check)
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise errors of every class
        shown = text[:80] if uri else text[-200:]  # the end of a path names the file
        reason = explain_unreadable(error)
        raise ValueError(f"no image can be read from {shown!r}: {reason}") from None


def read_picture(data: bytes) -> "Image":
    """Return the picture in the bytes of a file from an untrusted source, as `open_picture` does.

    Raises:
        ValueError: there is no picture, or it is not accepted from an untrusted source.
    """
    try:
        return _decode(io.BytesIO(data), False, accept_any)
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"no image can be read: {explain_unreadable(error)}") from None


def is_data_uri(text: str) -> bool:
    """Return whether a text is a picture in a data URI, and not a path."""
    return _DATA_URI.match(text) is not None


def explain_unreadable(error: Exception) -> str:
    """Return why a picture cannot be read, without its path, which most messages repeat."""
    import PIL

    if isinstance(error, PIL.UnidentifiedImageError):
        return "its content is not a known image format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def turn_upright(image: "Image") -> "Image":
    """Return a picture as viewers show it: turned as its EXIF orientation says."""
    from PIL import ImageOps

    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:
        return image  # damaged EXIF data have no orientation


def to_data_uri(image: "Image") -> str:
    """Return a picture as a PNG in a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return _PNG_URI + base64.b64encode(buffer.getvalue()).decode()


def _decode(source: io.BytesIO | str, trusted: bool, check: "Callable[[Image], None]") -> "Image":
    """Return the picture in a file, checked before it is decoded, and upright."""
    import PIL.Image

    with PIL.Image.open(source, formats=None if trusted else _UNTRUSTED_FORMATS) as image:
        if not trusted:
            _check_size(image)
        check(image)
        image.load()
    return turn_upright(image)


def _check_size(image: "Image") -> None:
    """Refuse a picture of a client that is too large, alone or with those before it."""
    pixels = image.width * image.height
    found = f"it has {image.width} x {image.height} pixels"
    if max(image.size) > MAX_SIDE:
        raise ValueError(f"{found}; a side has at most {MAX_SIDE} pixels")
    if pixels > MAX_UNTRUSTED_PIXELS:
        raise ValueError(f"{found}; a client may send at most {MAX_UNTRUSTED_PIXELS} pixels")
    left = _pixels_left.get()
    if left is None:
        return
    if pixels > left[0]:
        raise ValueError(
            f"{found}, and with those before it the pictures of this request have too many; send "
            "fewer or smaller pictures"
        )
    left[0] -= pixels
