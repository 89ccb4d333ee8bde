"""Removing everything from a PNG or JPEG that is not the picture.

The parts that a picture is shown by stay: pixels, palette, transparency, colour profile. Text,
comments, EXIF, XMP, times, the data of other programs and bytes after the end are left out. The
compressed pixels are copied as they are.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from latelier.contracts.errors import InvalidInputError
from latelier.io.atomic import write_bytes

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PNG_CHUNKS = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND"),
    *(b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"bKGD", b"pHYs"),
    *(b"cICP", b"mDCV", b"cLLI"),  # of high dynamic range
    *(b"acTL", b"fcTL", b"fdAT"),  # of an animation
}

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"

_START_OF_SCAN, _COMMENT = 0xDA, 0xFE

_APPLICATION_DATA = range(0xE0, 0xF0)

_SHOWN_APPLICATION_DATA = (b"JFIF\0", b"ICC_PROFILE\0", b"Adobe")


def strip(path: str | Path, output: str | Path | None = None) -> None:
    """Write a PNG or JPEG without provenance and other metadata.

    Args:
        path: of the picture.
        output: where to write; None replaces the file.

    Raises:
        InvalidInputError: the file is missing, no PNG or JPEG, or damaged; it stays as it was.
        OSError: the file cannot be written.
    """
    write_bytes(Path(path if output is None else output), read_stripped(Path(path)))


def read_stripped(path: Path) -> bytes:
    """Return the bytes of a PNG or JPEG without metadata.

    Raises:
        InvalidInputError: the file is missing, no PNG or JPEG, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    if data.startswith(_PNG_SIGNATURE):
        kept = (chunk for name, chunk in _png_chunks(path, data) if name in _PNG_CHUNKS)
        return _PNG_SIGNATURE + b"".join(kept)
    if data.startswith(_JPEG_START):
        kept = (segment for segment in _jpeg_segments(path, data) if _is_shown(segment))
        return _JPEG_START + b"".join(kept)
    raise InvalidInputError(f"{path}: expected a PNG or JPEG, as latelier writes")


def _png_chunks(path: Path, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of each chunk, to the end of the picture."""
    start, name = len(_PNG_SIGNATURE), b""
    while name != b"IEND":
        if start + 12 > len(data):
            raise InvalidInputError(f"{path}: is damaged: it ends before its picture does")
        (length,) = struct.unpack_from(">I", data, start)
        chunk = data[start : start + 12 + length]
        name = chunk[4:8]
        if len(chunk) < 12 + length or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise InvalidInputError(f"{path}: is damaged: the chunk at byte {start} is not whole")
        yield name, chunk
        start += len(chunk)


def _jpeg_segments(path: Path, data: bytes) -> Iterator[bytes]:
    """Yield the segments of a JPEG; the last one has the scans, to the end of the picture."""
    start = len(_JPEG_START)
    while data[start : start + 1] == b"\xff" and start + 4 <= len(data):
        if data[start + 1] == _START_OF_SCAN:
            end = data.find(_JPEG_END, start)  # 255 within a scan is followed by 0
            if end >= 0:
                yield data[start : end + len(_JPEG_END)]
                return
            break
        (length,) = struct.unpack_from(">H", data, start + 2)
        yield data[start : start + 2 + length]
        start += 2 + length
    raise InvalidInputError(f"{path}: is damaged: it ends before its picture does")


def _is_shown(segment: bytes) -> bool:
    """Return whether a segment of a JPEG has a part in how it is shown."""
    marker = segment[1]
    if marker in _APPLICATION_DATA:
        return segment[4:].startswith(_SHOWN_APPLICATION_DATA)
    return marker != _COMMENT
