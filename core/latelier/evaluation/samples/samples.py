"""The interface of samples."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol


class Samples(Protocol):
    """Samples by index: each is a function of the configuration and its index alone.

    Attributes:
        name: Of the data set, for messages and results.
        count: Number of samples.
        size: Width and height of the pictures.
    """

    name: str
    count: int
    size: tuple[int, int]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What determines the samples, as JSON values for provenance; paths are not in it.

        "source" is what they are before they are resized: names and annotations, not the bytes of
        files, whose hash is "files".
        """
        ...

    def check_fields(self, fields: Collection[str], /) -> None:
        """Check that all samples have some fields.

        Raises:
            LatelierError: a sample lacks one of them.
        """
        ...

    def sample_name(self, index: int, /) -> str:
        """Return the name of a sample in reports."""
        ...

    def read(self, index: int, fields: Collection[str], /) -> dict[str, Any]:
        """Return "index" and at least some fields of a sample; "image" is uint8 (3, H, W).

        Raises:
            UnusableError: the sample cannot be used.
            DataError: its picture has another size than the others.
        """
        ...
