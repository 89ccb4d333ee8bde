"""Taking out of a PNG everything that is not the picture.

What is kept are the chunks that a picture is shown by; text, EXIF, XMP, times, the chunks of other
programs and whatever follows the end are left out. The compressed pixels are copied as they are.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from latelier.contracts.errors import InvalidInputError
from latelier.io.atomic import write_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_SHOWN_BY = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND"),
    *(b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"bKGD", b"pHYs"),
    *(b"cICP", b"mDCV", b"cLLI"),  # of high dynamic range
    *(b"acTL", b"fcTL", b"fdAT"),  # of an animation
}


def strip(path: str | Path, output: str | Path | None = None) -> None:
    """Write a PNG without provenance, or anything else that is not the picture.

    Args:
        path: of a PNG.
        output: where to; in place of the file if None.

    Raises:
        InvalidInputError: the file is missing, no PNG or damaged; it stays as it was.
        OSError: it cannot be written.
    """
    write_bytes(Path(path if output is None else output), bare(Path(path)))


def bare(path: Path) -> bytes:
    """Return the bytes of a PNG that are the picture.

    Raises:
        InvalidInputError: the file is missing, no PNG or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    return _SIGNATURE + b"".join(chunk for name, chunk in _chunks(path, data) if name in _SHOWN_BY)


def _chunks(path: Path, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of each chunk, to the end of the picture."""
    if not data.startswith(_SIGNATURE):
        raise InvalidInputError(f"{path}: is no PNG, which is what latelier writes")
    start, name = len(_SIGNATURE), b""
    while name != b"IEND":
        if start + 12 > len(data):
            raise InvalidInputError(f"{path}: is damaged: it ends before its picture does")
        (length,) = struct.unpack_from(">I", data, start)
        chunk = data[start : start + 12 + length]
        name = chunk[4:8]
        if len(chunk) < 12 + length or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise InvalidInputError(f"{path}: is damaged: its chunk at byte {start} is not whole")
        yield name, chunk
        start += len(chunk)
