"""Pictures in files as samples, with what a manifest says of them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, partial
from io import BytesIO
from typing import Any

import numpy as np
import torch

from latelier.contracts.errors import DataError
from latelier.contracts.images.pixels import denormalize
from latelier.data.manifest.manifest import Manifest
from latelier.data.pictures import UnusableError, decode_rgb, measure_size, read_bytes, read_size
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.sizes import format_size
from latelier.training.configs.data import DataConfig
from latelier.training.data.manifest_source import ManifestSource
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.records import show_view
from latelier.training.data.views import RESAMPLING, Size, View, choose_view

_SHOWN = frozenset({"image", "layout", "semantic_map", "mask"})
"""Fields for which the picture must be decoded."""


class FileSamples:
    """Some of the pictures of a data set, spread evenly over it, in its order."""

    def __init__(
        self, manifest: Manifest, data: EvaluationData, count: int, size: Size | None
    ) -> None:
        """Create the samples.

        Args:
            manifest: of the data set.
            data: how pictures are shown, and captions are chosen.
            count: number of samples; at most that of the manifest.
            size: width and height that pictures are resized to; None: all must have one size.

        Raises:
            DataError: the size of the first picture is needed, and cannot be read.
        """
        self.name = manifest.origin
        self.count = count
        places = np.arange(count, dtype=np.int64) * len(manifest) // count
        config = DataConfig(path=data.path, captions=data.captions)
        self._source = ManifestSource(manifest, places, config)
        self._data = data
        self._is_resized = size is not None
        self.size = size or self._first_size()

    @property
    def facts(self) -> Mapping[str, Any]:
        """What determines the samples; all their files are read for it, once."""
        return self._facts

    @cached_property
    def _facts(self) -> Mapping[str, Any]:
        return self.list_facts(range(self.count))

    def list_facts(self, indices: Iterable[int]) -> dict[str, Any]:
        """Return what determines some of the samples, with a hash of their files."""
        manifest, data = self._source.manifest, self._data
        return {
            "source": f"manifest {hashlib.sha256(manifest.lines).hexdigest()}",
            "records": len(manifest),
            "files": self._hash_files(indices),
            "size": list(self.size),
            "resize": data.resize if self._is_resized else "none",
            "crop": data.crop if self._is_resized else "none",
            "captions": data.captions.model_dump(mode="json", exclude_defaults=True),
            "seed": data.seed,
        }

    def check_fields(self, fields: Collection[str], /) -> None:
        """Check that all pictures of the data set have some fields.

        Raises:
            DataError: a picture lacks one.
        """
        self._source.check_fields(dict.fromkeys(sorted(fields)))

    def sample_name(self, index: int, /) -> str:
        """Return the id of a picture, or its file."""
        return self._source.sample_name(index)

    def read(self, index: int, fields: Collection[str], /) -> dict[str, Any]:
        """Return "index" and at least some fields of a sample; "image" is uint8 (3, H, W).

        Raises:
            UnusableError: a file is missing or damaged.
            DataError: the picture has another size than the others, and is not resized.
        """
        sample: dict[str, Any] = {"index": index}
        if set(fields) - {"image"}:
            generator = data_generator(self._data.seed, DataPurpose.CAPTION, index)
            sample = {**self._source.describe(index, generator), **sample}
        if _SHOWN & set(fields):
            sample |= self._show(index)
        return sample

    def _show(self, index: int) -> dict[str, Any]:
        record = self._source.manifest[int(self._source.members[index])]
        read = partial(read_bytes, self._source.manifest.root)
        data = read(record)
        if not self._is_resized and (size := measure_size(BytesIO(data))) != self.size:
            raise DataError(
                f"{self.name}: {record.name} is {format_size(size)} pixels and the first picture "
                f"{format_size(self.size)}; set the size of the data, to which pictures are resized"
            )
        image = decode_rgb(data)
        view = View(self.size, (0.0, 0.0, 1.0, 1.0), is_flipped=False)
        if self._data.crop == "center":
            centered = DataConfig(path=self._data.path)
            view = choose_view(image.size, self.size, centered, np.random.default_rng(0))
        fields = show_view(record, read, image, view, RESAMPLING[self._data.resize])
        return {**fields, "image": denormalize(fields["image"]).to(torch.uint8)}

    def _hash_files(self, indices: Iterable[int]) -> str:
        """Return the SHA-256 of the pictures, maps and masks of some samples, by their own."""
        manifest, whole = self._source.manifest, hashlib.sha256()
        for index in indices:
            record = manifest[int(self._source.members[index])]
            for place in filter(None, (record, record.semantic_map, record.mask)):
                try:
                    whole.update(hashlib.sha256(read_bytes(manifest.root, place)).digest())
                except UnusableError as error:
                    whole.update(str(error).encode())
        return whole.hexdigest()

    def _first_size(self) -> Size:
        manifest, fault = self._source.manifest, ""
        for member in self._source.members:
            try:
                return read_size(manifest.root, manifest[int(member)])
            except UnusableError as error:
                fault = f"{manifest[int(member)].name}: {error}"
        raise DataError(f"{self.name}: no picture can be read, such as {fault}")
