"""The interface of sources of samples."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from latelier.data.manifest.record import FileRange
from latelier.training.data.views import Size

HashOf = Callable[[Path, FileRange], str]
"""Returns the SHA-256 of the bytes at a place below a root."""


class SampleSource(Protocol):
    """Gives samples by number.

    Attributes:
        name: What it is read from.
        length: Number of samples; None: endless.
    """

    name: str
    length: int | None

    def sample_name(self, number: int, /) -> str:
        """Return the name of a sample in reports."""
        ...

    def describe(self, number: int, generator: np.random.Generator, /) -> dict[str, Any]:
        """Return the fields of a sample that do not depend on its view, such as "prompt".

        Args:
            number: of the sample.
            generator: chooses among several captions.
        """
        ...

    def show(
        self, number: int, size: Size | None, generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return the fields that depend on the view of its picture: "image", "layout" ...

        Args:
            number: of the sample.
            size: width and height of its bucket; None: those of the configuration.
            generator: of the crop and the flip.

        Raises:
            UnusableError: the sample cannot be used.
        """
        ...

    def list_values(self, number: int, field: str, /) -> Sequence[Any]:
        """Return the values that `describe` can give a field: none where it lacks it.

        They are several where it draws one of several captions or templates. Changes of tags,
        which are endless, are left out.
        """
        ...

    def content_key(self, number: int, hash_of: HashOf, /) -> str:
        """Return what determines `show`, apart from size, crop and flip.

        Raises:
            UnusableError: a file of the sample cannot be read.
        """
        ...

    def list_fields(self) -> frozenset[str]:
        """Return the fields that some samples have."""
        ...

    def check_fields(self, fields: Mapping[str, int | None], /) -> None:
        """Check that all samples have some fields.

        Args:
            fields: names, each with the number of its labels, or None.

        Raises:
            DataError: a sample lacks a field, or has a label that is out of range; the error names
                the first samples.
        """
        ...
