"""Samples from the pictures of a manifest."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latelier.contracts.errors import DataError
from latelier.data.manifest.manifest import Annotation, Manifest, missing_annotations
from latelier.data.manifest.record import Record
from latelier.data.pictures import read_bytes
from latelier.training.configs.data import DataConfig
from latelier.training.data.captions import choose_prompt, list_prompts
from latelier.training.data.records import describe_record, show_record, weighted_captions
from latelier.training.data.source import HashOf
from latelier.training.data.views import Size

_ANNOTATIONS = {
    "class_label": Annotation.CLASS,
    "layout": Annotation.BOXES,
    "semantic_map": Annotation.MAP,
    "mask": Annotation.MASK,
}
"""What a record needs for a field of its sample."""

_WORDS = {"prompt": "caption", "class_label": "class", "layout": "boxes"}
"""What people call a field."""

_ALWAYS = ("image", "index", "weight")
"""Fields that every sample has."""

_MAX_NAMES = 3


class ManifestSource:
    """Some of the records of a manifest."""

    def __init__(self, manifest: Manifest, members: NDArray[np.int64], config: DataConfig) -> None:
        """Create the source of the records whose numbers are `members`."""
        self.name = manifest.origin
        self.manifest = manifest
        self.members = members
        self.length: int | None = len(members)
        self._config = config

    @property
    def sizes(self) -> NDArray[np.int32]:
        """Width and height of each picture, (N, 2); 0 where it is not known."""
        return self.manifest.sizes[self.members]

    def sample_name(self, number: int, /) -> str:
        """Return the id of a record, or its file."""
        return self._record(number).name

    def describe(self, number: int, generator: np.random.Generator, /) -> dict[str, Any]:
        """Return "prompt", "class_label", "weight" and the record's own fields."""
        record = self._record(number)
        class_name = self._class_name(record)
        return describe_record(record, class_name, self._config.captions, generator)

    def show(
        self, number: int, size: Size | None, generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return "image" and, where the record has them, "layout", "semantic_map" and "mask"."""
        read = partial(read_bytes, self.manifest.root)
        return show_record(self._record(number), read, size, self._config, generator)

    def list_values(self, number: int, field: str, /) -> Sequence[Any]:
        """Return every prompt of a record, or the one value of another field."""
        record = self._record(number)
        if field == "prompt":
            return list_prompts(
                weighted_captions(record), self._class_name(record), self._config.captions
            )
        fields = self.describe(number, np.random.default_rng(0))
        return [fields[field]] if field in fields else []

    def content_key(self, number: int, hash_of: HashOf, /) -> str:
        """Return the hashes of the picture, the map and the mask, and the boxes."""
        record, root = self._record(number), self.manifest.root
        places = (record, record.semantic_map, record.mask)
        hashes = [None if place is None else hash_of(root, place) for place in places]
        annotations = record.model_dump(mode="json", include={"boxes", "semantic_map"})
        return json.dumps([hashes, annotations])

    def list_fields(self) -> frozenset[str]:
        """Return the fields that some records have."""
        found = {
            field
            for field, kind in _ANNOTATIONS.items()
            if (self.manifest.annotations & kind).any()
        }
        generator = np.random.default_rng(0)
        for record in self.manifest:
            found |= record.fields.keys()
            if "prompt" not in found and self._prompt(record, generator) is not None:
                found.add("prompt")
        return frozenset({*found, *_ALWAYS})

    def check_fields(self, fields: Mapping[str, int | None], /) -> None:
        """Check that all records of the manifest have some fields, and their labels' range."""
        for field, labels in fields.items():
            if field in _ALWAYS:
                continue
            without = self._numbers_without(field)
            if len(without):
                raise DataError(
                    f"{self._count(without)} have no {_WORDS.get(field, repr(field))}, such as "
                    f"{self._names(without)}; add it to all of them, or move them out of the data"
                )
            if labels is not None:
                self._check_labels(field, labels)

    def _check_labels(self, field: str, labels: int) -> None:
        outside = [
            number
            for number, record in enumerate(self.manifest)
            if any(label >= labels for label in _labels(record, field))
        ]
        if outside:
            raise DataError(
                f"{self._count(outside)} have a label of '{field}' outside of 0..{labels - 1}, "
                f"such as {self._names(outside)}; fix them, or give the conditioner more classes"
            )

    def _numbers_without(self, field: str) -> Sequence[int]:
        if field in _ANNOTATIONS:
            return missing_annotations(self.manifest, _ANNOTATIONS[field])
        if field == "prompt":
            generator = np.random.default_rng(0)
            return [
                number
                for number, record in enumerate(self.manifest)
                if self._prompt(record, generator) is None
            ]
        return [number for number, record in enumerate(self.manifest) if field not in record.fields]

    def _count(self, numbers: Sequence[int]) -> str:
        return f"{self.name}: {len(numbers)} of {len(self.manifest)} pictures"

    def _names(self, numbers: Sequence[int]) -> str:
        return ", ".join(f"'{self.manifest[number].name}'" for number in numbers[:_MAX_NAMES])

    def _prompt(self, record: Record, generator: np.random.Generator) -> str | None:
        captions, class_name = weighted_captions(record), self._class_name(record)
        return choose_prompt(captions, class_name, self._config.captions, generator)

    def _class_name(self, record: Record) -> str | None:
        label, names = record.class_label, self.manifest.header.class_names
        return names[label] if label is not None and label < len(names) else None

    def _record(self, number: int) -> Record:
        return self.manifest[int(self.members[number])]


def _labels(record: Record, field: str) -> list[int]:
    if field == "class_label" and record.class_label is not None:
        return [record.class_label]
    return [box.label for box in record.boxes or ()] if field == "layout" else []
