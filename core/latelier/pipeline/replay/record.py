"""Provenance read back: what a picture says of how it was made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import validate
from latelier.pipeline.request import Request
from latelier.provenance.large_pictures import with_large_pictures
from latelier.provenance.png import read_provenance


class _Open(BaseModel):
    """A value that may have fields which a later latelier added."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ModelRecord(_Open):
    """Where the model was."""

    name: str | None = None
    revision: str | None = None


class OwnedRecord(_Open):
    """A component or function, and the version of the distribution that owns it."""

    id: str
    version: str

    @property
    def distribution(self) -> str:
        """The distribution that owns it."""
        return self.id.partition("/")[0]


class ComponentRecord(OwnedRecord):
    """A component of the model. weights_sha256: None where they came from no file."""

    config_sha256: str
    weights_sha256: str | None = None
    assets_sha256: dict[str, str] = {}


class AdapterRecord(_Open):
    """An adapter. source: an id or a folder; None where it was in memory alone."""

    source: str | None = None
    version: str | None = None
    scale: float = Field(1.0, ge=0, allow_inf_nan=False)


class PluginRecord(_Open):
    """A plugin that took part. sha256: over its files; None where it was not installed."""

    version: str
    sha256: str | None = None
    parts: tuple[str, ...] = Field((), description="places of the components that it made")
    told: tuple[str, ...] = Field((), description="hooks by which it was told")


class Record(_Open):
    """What `provenance_of` wrote, and what is the picture's own."""

    latelier: str
    model: ModelRecord
    components: dict[str, ComponentRecord]
    adapters: dict[str, AdapterRecord] = {}
    functions: dict[str, OwnedRecord] = Field(description="sampler, schedule, guidance")
    plugins: dict[str, PluginRecord] = {}
    process: dict[str, Any]
    request: Request
    machine: dict[str, Any]
    index: int = Field(ge=0, description="which picture of the batch it is")
    pixels_sha256: str


def read_record(path: Path, pictures: Sequence[Path] = ()) -> tuple[Image.Image, Record]:
    """Return a picture and its record.

    Args:
        path: of the picture.
        pictures: files of those that were given to its run and are too large to be stored in it.

    Raises:
        InvalidInputError: the file is missing, no picture, or its provenance cannot be read; a
            picture that it was made from is neither in it nor given.
    """
    image, provenance = read_provenance(path)
    whole = with_large_pictures(provenance, pictures, str(path))
    return image, validate(Record, whole, f"{path}: its provenance", InvalidInputError)
