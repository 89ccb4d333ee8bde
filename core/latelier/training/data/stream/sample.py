"""A streamed sample as the fields that training needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from latelier.contracts.errors import DataError
from latelier.data.converters.names import NameTable
from latelier.data.converters.rows import Row, convert_row
from latelier.data.converters.sample_files import MAPS, TEXTS, find_picture, parse_values
from latelier.data.manifest.record import FileRange, Record
from latelier.data.pictures import UnusableError, measure_size
from latelier.data.streaming.shards import StreamedSample
from latelier.training.configs.data import DataConfig
from latelier.training.data.records import describe_record, show_record
from latelier.training.data.views import Size

_NO_NAMES = NameTable(())
"""Classes must be numbers: the numbers of names depend on all samples."""


@dataclass(frozen=True)
class StreamedRecord:
    """A streamed sample that can be used.

    Attributes:
        record: Of its picture; its files are named by their suffixes.
        files: Their content by suffix.
    """

    record: Record
    files: Mapping[str, bytes]

    def show(
        self, size: Size | None, config: DataConfig, generator: np.random.Generator
    ) -> dict[str, Any]:
        """Return the fields that depend on the view; see `SampleSource.show`."""
        return show_record(self.record, self._read, size, config, generator)

    def describe(self, config: DataConfig, generator: np.random.Generator) -> dict[str, Any]:
        """Return the other fields; see `SampleSource.describe`."""
        return describe_record(self.record, None, config.captions, generator)

    def _read(self, place: FileRange) -> bytes:
        return self.files[place.path]


def read_record(sample: StreamedSample) -> StreamedRecord:
    """Return the record of a streamed sample.

    Raises:
        UnusableError: it has no picture, or its caption, class or columns are not valid.
    """
    files = sample.files
    suffix = find_picture(files)
    if suffix is None:
        raise UnusableError(f"no picture among its files: {', '.join(files)}")
    maps = {MAPS[each]: {"file": each} for each in MAPS if each in files}
    try:
        texts = {each: files[each] for each in TEXTS if each in files}
        values = {**parse_values(texts, sample.name), "id": sample.name}
        row = Row(values, {"file": suffix}, sample.name, maps)
        record = convert_row(
            row, lambda _: measure_size(BytesIO(files[suffix])), _NO_NAMES, _NO_NAMES
        )
    except DataError as error:
        raise UnusableError(str(error).removeprefix(f"{sample.name}: ")) from None
    return StreamedRecord(record, files)
