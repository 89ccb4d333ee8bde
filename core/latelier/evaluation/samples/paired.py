"""Pictures that were made elsewhere, each with the sample that it was made for."""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from latelier.contracts.errors import DataError
from latelier.evaluation.samples.files import FileSamples

_MAX_NAMES = 3


class PairedSamples:
    """Pictures by index, each with the fields of the original whose file has the same name.

    "picture" is the picture itself, uint8 (3, H, W); all other fields are the original's.
    """

    def __init__(self, pictures: FileSamples, originals: FileSamples | None) -> None:
        """Create the samples; without originals they have a picture alone.

        Raises:
            DataError: a picture has no original of its name, or several.
        """
        self.name = pictures.name
        self.count = pictures.count
        self.size = pictures.size
        self._pictures = pictures
        self._originals = originals
        self._pairs = [] if originals is None else _pair(pictures, originals)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What determines the pictures and their originals; all their files are read for it."""
        return self._facts

    @cached_property
    def _facts(self) -> Mapping[str, Any]:
        originals = None if self._originals is None else self._originals.list_facts(self._pairs)
        return {**self._pictures.facts, "originals": originals}

    def check_fields(self, fields: Collection[str], /) -> None:
        """Check that all originals have some fields.

        Raises:
            DataError: there are no originals, or one lacks a field.
        """
        needed = set(fields) - {"picture"}
        if not needed:
            return
        if self._originals is None:
            raise DataError(
                f"{self.name}: the measures need {', '.join(sorted(needed))} of the originals; "
                "name their data set (data, or --originals)"
            )
        self._originals.check_fields(needed)

    def sample_name(self, index: int, /) -> str:
        """Return the name of a picture."""
        return self._pictures.sample_name(index)

    def read(self, index: int, fields: Collection[str], /) -> dict[str, Any]:
        """Return "index", "picture" and at least some fields of its original.

        Raises:
            UnusableError: the picture or its original is missing or damaged.
            DataError: it has another size than the others.
        """
        sample: dict[str, Any] = {}
        needed = set(fields) - {"picture"}
        if needed and self._originals is not None:
            sample = self._originals.read(self._pairs[index], needed)
        picture = self._pictures.read(index, {"image"})["image"]
        return {**sample, "index": index, "picture": picture}


def _pair(pictures: FileSamples, originals: FileSamples) -> list[int]:
    """Return the index of the original of each picture."""
    names = [_stem(originals.sample_name(k)) for k in range(originals.count)]
    several = [name for name, count in Counter(names).items() if count > 1]
    if several:
        raise DataError(
            f"{originals.name}: several originals are called '{several[0]}', so that pictures "
            "cannot be paired by their names"
        )
    places = {name: k for k, name in enumerate(names)}
    found = [places.get(_stem(pictures.sample_name(k))) for k in range(pictures.count)]
    without = [pictures.sample_name(k) for k, each in enumerate(found) if each is None]
    if without:
        raise DataError(
            f"{pictures.name}: {len(without)} of {pictures.count} pictures have no original of "
            f"their name in {originals.name}, such as {', '.join(without[:_MAX_NAMES])}"
        )
    return [each for each in found if each is not None]


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
