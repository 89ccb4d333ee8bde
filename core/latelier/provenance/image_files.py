"""Files of pictures that carry how they were made.

A PNG has its provenance as JSON in a text chunk (iTXt, keyword "latelier"), and its settings once
more as AUTOMATIC1111's web UI writes them (keyword "parameters"). A JPEG has its provenance in its
comment, which begins with "latelier:" and holds 64 KiB. A JPEG's pixels are not exactly those of
the picture: keep a PNG for replays to the bit.
"""

import io
import json
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latelier.contracts.errors import InvalidInputError, NoProvenanceError
from latelier.contracts.images.reading import explain_unreadable
from latelier.io.atomic import write_bytes
from latelier.provenance.large_pictures import without_large_pictures
from latelier.provenance.settings import Settings

ImageFormat = Literal["png", "jpeg"]

PNG_KEY = "latelier"

_A1111_KEY = "parameters"

JPEG_PREFIX = "latelier:"

_FORMATS: dict[str, ImageFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}

_MAX_COMMENT = 65_533
"""Bytes of the comment of a JPEG."""

_QUALITY = 95


def encode_image(
    image: Image.Image, provenance: dict[str, Any] | None, file_format: ImageFormat = "png"
) -> bytes:
    """Return the bytes of an image file that carries a provenance.

    Raises:
        InvalidInputError: the format is unknown, or the provenance is too long for a JPEG.
    """
    buffer = io.BytesIO()
    if file_format == "png":
        info = PngInfo()
        if provenance is not None:
            info.add_itxt(PNG_KEY, _to_json(without_large_pictures(provenance)))
            settings = Settings.read(provenance)
            if settings is not None:
                info.add_text(_A1111_KEY, settings.infotext(image.size))
        image.save(buffer, "PNG", pnginfo=info)
    elif file_format == "jpeg":
        comment = b"" if provenance is None else _jpeg_comment(provenance)
        image.convert("RGB").save(buffer, "JPEG", quality=_QUALITY, comment=comment)
    else:
        raise InvalidInputError(
            f"format: expected 'png' or 'jpeg', got {file_format!r}", field="format"
        )
    return buffer.getvalue()


def write_image(
    path: Path, image: Image.Image, provenance: dict[str, Any] | None, *, replace: bool = True
) -> None:
    """Write an image atomically in the format of the path's suffix: .png, .jpg or .jpeg.

    Args:
        path: of the file.
        image: RGB.
        provenance: JSON values; None for a file without.
        replace: whether a file that exists may be replaced.

    Raises:
        InvalidInputError: the suffix is unknown, or the provenance is too long for a JPEG.
        FileExistsError: the file exists and `replace` is False.
        OSError: the file cannot be written.
    """
    file_format = _FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise InvalidInputError(
            f"{path}: pictures are written as {', '.join(_FORMATS)}, not as '{path.suffix}'"
        )
    write_bytes(path, encode_image(image, provenance, file_format), replace=replace)


def read_provenance(path: Path) -> tuple[Image.Image, dict[str, Any]]:
    """Return a picture and its provenance.

    Raises:
        InvalidInputError: the file is missing, or is not a picture.
        NoProvenanceError: the picture carries none.
    """
    try:
        image = Image.open(path)
        image.load()
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: not found") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise errors of every class
        reason = explain_unreadable(error)
        raise InvalidInputError(f"{path}: no picture can be read: {reason}") from None
    return image.convert("RGB"), provenance_of(image, str(path))


def provenance_of(image: Image.Image, what: str) -> dict[str, Any]:
    """Return the provenance that the file of an opened picture carries.

    Args:
        image: as Pillow opened it.
        what: the file, for errors.

    Raises:
        NoProvenanceError: it carries none.
    """
    try:
        provenance = json.loads(_stored_text(image))
    except (ValueError, RecursionError):
        provenance = None
    if not isinstance(provenance, dict):
        raise NoProvenanceError(
            f"{what}: carries no provenance of latelier: another program made it, or saved it again"
        )
    return provenance


def _stored_text(image: Image.Image) -> str:
    """Return the text that an image file carries for latelier; '' if there is none."""
    text = image.info.get(PNG_KEY)
    comment = image.info.get("comment")
    if isinstance(comment, bytes) and comment.startswith(JPEG_PREFIX.encode()):
        text = comment.decode(errors="replace").removeprefix(JPEG_PREFIX)
    return text if isinstance(text, str) else ""


def _jpeg_comment(provenance: dict[str, Any]) -> bytes:
    stored = without_large_pictures(provenance, _MAX_COMMENT // 2)  # text may be of wide characters
    comment = f"{JPEG_PREFIX}{_to_json(stored)}".encode()
    if len(comment) > _MAX_COMMENT:
        raise InvalidInputError(
            f"the provenance has {len(comment)} bytes, and a JPEG holds {_MAX_COMMENT}; save a PNG"
        )
    return comment


def _to_json(provenance: dict[str, Any]) -> str:
    return json.dumps(provenance, ensure_ascii=False)
