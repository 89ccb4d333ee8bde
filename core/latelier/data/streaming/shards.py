"""Samples of tar shards at URLs, read one after another and kept in memory alone."""

import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from latelier.contracts.errors import DataError
from latelier.data.converters.sample_files import MAPS, TEXTS, find_picture, group_files, split_name
from latelier.data.streaming.http import ConnectionFailedError, hide_secrets, open_url

_MAX_BYTES = 256 * 2**20
"""Largest file of a shard in bytes."""

WAITS = (1.0, 4.0, 16.0, 64.0)
"""Seconds before each further try to read a shard; a longer failure stops the training."""


@dataclass(frozen=True)
class StreamedSample:
    """The files of a sample.

    Attributes:
        name: The file name of its shard, and its key.
        files: Content by suffix: of pictures, maps, masks, captions, classes and columns.
    """

    name: str
    files: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Number of its bytes."""
        return sum(map(len, self.files.values()))


def stream_shard(url: str, waits: Sequence[float] = WAITS) -> Iterator[StreamedSample]:
    """Yield the samples of a shard in order.

    Args:
        url: of the shard.
        waits: seconds to wait after each failure of the connection, before the shard is read again
            and goes on where it was.

    Raises:
        DataError: the URL is refused, it is no uncompressed tar file, a file is too large, or the
            connection fails again and again.
    """
    given = failures = 0
    while True:
        try:
            for number, sample in enumerate(_read_shard(url)):
                if number >= given:
                    given, failures = number + 1, 0
                    yield sample
        except ConnectionFailedError as error:
            if failures == len(waits):
                raise DataError(
                    f"{hide_secrets(url)}: cannot be read: {error} (try {failures + 1}); try again "
                    "later, or download the shards"
                ) from None
            time.sleep(waits[failures])
            failures += 1
        else:
            return


def _read_shard(url: str) -> Iterator[StreamedSample]:
    shard = PurePosixPath(urlsplit(url).path).name
    for key, files in group_files(_read_files(url)):
        name = f"{shard}: {key}".encode(errors="replace").decode()  # keys may be no UTF-8
        yield StreamedSample(name, files)


def _read_files(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of a shard that belongs to a sample."""
    with closing(open_url(url, _MAX_BYTES)) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
                while (member := tar.next()) is not None:
                    tar.members.clear()  # the list would grow with the shard
                    stream.renew()
                    file = tar.extractfile(member) if _is_wanted(member) else None
                    if file is not None:
                        yield member.name, file.read()
        except DataError:
            raise
        except (tarfile.TarError, RecursionError, ValueError) as error:  # of damaged headers
            raise DataError(
                f"{hide_secrets(url)}: expected an uncompressed tar file ({error})"
            ) from None


def _is_wanted(member: tarfile.TarInfo) -> bool:
    suffix = split_name(member.name)[1]
    is_known = suffix in MAPS or suffix in TEXTS or find_picture([suffix]) is not None
    return member.isreg() and not member.issparse() and is_known
