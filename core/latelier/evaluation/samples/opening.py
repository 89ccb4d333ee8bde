"""The samples of a configuration."""

from collections.abc import Collection, Mapping
from typing import Any

from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.data.converters.recognize import open_manifest
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.samples.files import FileSamples
from latelier.evaluation.samples.paired import PairedSamples
from latelier.evaluation.samples.samples import Samples
from latelier.evaluation.samples.scenes import SceneSamples
from latelier.evaluation.sizes import format_size
from latelier.evaluation.tasks.pictures import Pictures
from latelier.training.data.views import Size


class Indices:
    """Samples that have nothing but their index, for pictures that are made of nothing else."""

    name = ""
    facts: Mapping[str, Any] = {}

    def __init__(self, count: int, size: Size) -> None:
        self.count = count
        self.size = size

    def check_fields(self, fields: Collection[str], /) -> None:
        """Check that no field is needed."""
        assert not fields

    def sample_name(self, index: int, /) -> str:
        """Return the index."""
        return str(index)

    def read(self, index: int, _fields: Collection[str], /) -> dict[str, Any]:
        """Return "index"."""
        return {"index": index}


def open_samples(
    data: EvaluationData, count: int | None, fields: Collection[str], size: Size | None = None
) -> Samples:
    """Return the samples of a configuration.

    Args:
        data: the configuration.
        count: number of samples; None: all.
        fields: that are read; without one the data are not opened if count and size are known.
        size: of the pictures where the data do not name one.

    Raises:
        InvalidConfigError: the number of built-in scenes is missing.
        DataError: the data set is missing, empty or damaged, or has fewer samples or no such field.
    """
    size = data.sides or size
    if not fields and count is not None and size is not None:
        return Indices(count, size)
    samples = _open_scenes(data, count) if data.path is None else _open_files(data, count, size)
    samples.check_fields(fields)
    return samples


def open_paired_samples(
    task: Pictures, data: EvaluationData, count: int | None, fields: Collection[str]
) -> Samples:
    """Return the pictures of a folder, each with its original if the data name a path.

    Raises:
        InvalidConfigError: the data are built-in scenes.
        DataError: see `open_samples`; or pictures and originals differ in size or cannot be paired.
    """
    if data.dataset is not None:
        raise InvalidConfigError(
            "data.dataset: the originals of pictures are files; name their folder as data.path"
        )
    size = data.sides
    pictures = _open_files(data.model_copy(update={"path": task.path, "root": None}), count, size)
    originals = None
    if data.path is not None:
        originals = _open_files(data, None, size)
        if originals.size != pictures.size:
            raise DataError(
                f"the pictures of {pictures.name} have {format_size(pictures.size)} pixels and the "
                f"originals of {originals.name} {format_size(originals.size)}; set the size of the "
                "data, to which both are resized"
            )
    samples = PairedSamples(pictures, originals)
    samples.check_fields(fields)
    return samples


def _open_scenes(data: EvaluationData, count: int | None) -> SceneSamples:
    count = count or data.length
    if count is None:
        raise InvalidConfigError("pictures: expected a number, since the built-in scenes never end")
    if data.length is not None and count > data.length:
        raise InvalidConfigError(f"pictures: {count} is more than data.length, {data.length}")
    return SceneSamples(data, count)


def _open_files(data: EvaluationData, count: int | None, size: Size | None) -> FileSamples:
    assert data.path is not None
    manifest = open_manifest(data.path, data.root)
    if count is not None and count > len(manifest):
        raise DataError.of_field(
            "pictures",
            f"{manifest.origin} has {len(manifest)} pictures, and {count} are to be evaluated; set "
            f"it to {len(manifest)} or fewer",
        )
    return FileSamples(manifest, data, count or len(manifest), size)
