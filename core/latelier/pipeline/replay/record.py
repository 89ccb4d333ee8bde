"""Provenance read back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import validate
from latelier.contracts.images.reading import read_picture
from latelier.diffusion.fixed_rows import MAX_ROWS
from latelier.pipeline.adapters import Strength
from latelier.pipeline.request import Request
from latelier.provenance.image_files import provenance_of, read_provenance
from latelier.provenance.large_pictures import with_large_pictures


class _Open(BaseModel):
    """A value that ignores fields which a later latelier added."""

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
    """A component of the model."""

    config_sha256: str
    weights_sha256: str | None = Field(None, description="None: the weights came from no file")
    assets_sha256: dict[str, str] = {}


class AdapterRecord(_Open):
    """An adapter of the pipeline."""

    source: str | None = Field(None, description="an id or a path; None: in memory alone")
    version: str | None = None
    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0

    @property
    def strength(self) -> Strength:
        """How strongly it acted."""
        return Strength(self.scale, self.start, self.end)

    @model_validator(mode="after")
    def _check_strength(self) -> Self:
        _ = self.strength
        return self


class PluginRecord(_Open):
    """A plugin that took part in a run."""

    version: str
    sha256: str | None = Field(None, description="over its files; None: it was not installed")
    parts: tuple[str, ...] = Field((), description="places of the components that it made")
    hooks: tuple[str, ...] = Field((), description="hooks with which it observed the run")


class DrawnRecord(_Open):
    """A reference picture of a run."""

    name: str | None = Field(None, description="in the database; None: of the request")
    sha256: str


class Record(_Open):
    """The provenance of a picture; see `describe_run`."""

    latelier: str
    model: ModelRecord
    components: dict[str, ComponentRecord]
    adapters: dict[str, AdapterRecord] = {}
    functions: dict[str, OwnedRecord] = Field(
        description="sampler, schedule, guidance, acceleration, database"
    )
    plugins: dict[str, PluginRecord] = {}
    process: dict[str, Any]
    request: Request
    machine: dict[str, Any]
    rows: int | None = Field(
        None, ge=1, le=MAX_ROWS, description="of each call of the denoiser; None: not fixed"
    )
    index: int = Field(ge=0, description="which picture of the run it is")
    drew: tuple[DrawnRecord, ...] = Field((), description="its reference pictures")
    pixels_sha256: str


def read_record(path: Path, pictures: Sequence[Path] = ()) -> tuple[Image.Image, Record]:
    """Return a picture and its record.

    Args:
        path: of the picture.
        pictures: files of the pictures that its run started from and that are too large to be
            stored in it.

    Raises:
        InvalidInputError: the file is missing, no picture, or its provenance cannot be read; a
            picture that the run started from is neither in the file nor given.
    """
    image, provenance = read_provenance(path)
    return image, _read(provenance, pictures, str(path))


def read_client_record(data: bytes) -> tuple[Image.Image, Record]:
    """Return a picture that a client sent, RGB, and its record.

    Args:
        data: the bytes of its file. Its format and size are checked before it is decoded.

    Raises:
        InvalidInputError: they are no picture that a client may send, or its provenance cannot be
            read.
    """
    try:
        image = read_picture(data)
    except ValueError as error:
        raise InvalidInputError.of_field("picture", str(error)) from None
    return image.convert("RGB"), _read(provenance_of(image, "picture"), (), "picture")


def _read(provenance: dict[str, Any], pictures: Sequence[Path], what: str) -> Record:
    whole = with_large_pictures(provenance, pictures, what)
    # a picture from elsewhere must not make a replay open other files of this machine
    return validate(Record, whole, f"{what}: provenance", InvalidInputError, trusted=False)
