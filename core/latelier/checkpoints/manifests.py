"""How a manifest names a component and its files. Readable without torch."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from latelier.checkpoints.io.json_files import read_json
from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import Frozen

COMPONENT_FILE = "component.json"
"""In the folder of a component alone, in place of the manifest of a model."""


def _known(value: Any) -> Any:
    if isinstance(value, int) and value > 1:
        raise ValueError(f"format {value} is of a later latelier: pip install --upgrade latelier")
    return value


Format = Annotated[Literal[1], BeforeValidator(_known)]
"""Of what latelier writes; a later one is refused with the pip line."""


class StoredFile(Frozen):
    """A file of a model folder. path: relative to the folder."""

    path: str
    sha256: str

    def within(self, folder: Path) -> Path:
        """Return the file's place.

        Raises:
            ModelFileError: it would lie outside the folder.
        """
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise ModelFileError(
                f"{folder}: the manifest names the file '{self.path}' outside the folder"
            )
        return folder / self.path


class StoredComponent(Frozen):
    """A component as a manifest names it."""

    id: str = Field(description="'distribution/name'")
    version: str = Field(description="version of the distribution that wrote it")
    config: dict[str, Any]
    weights: StoredFile | None = None
    assets: dict[str, StoredFile] = Field(default_factory=dict)

    def files(self) -> list[StoredFile]:
        """Return its weights and assets."""
        return [*([self.weights] if self.weights else []), *self.assets.values()]


ADAPTER_FILE = "adapter.json"

ADAPTER_ID = "latelier/adapter"
"""What the keys and values of all adapters are, as an id: the module in `denoisers.adapter`."""


class TrainedOn(Frozen):
    """The model whose denoiser an adapter was trained on; others of the same shapes may do."""

    model: str = Field(description="its name: embedded, a folder, or owner/name on the hub")
    denoiser: str = Field(description="id of the denoiser")
    config_sha256: str = Field(description="of the denoiser's configuration")
    weights_sha256: str | None = Field(None, description="of the denoiser's weights")
    process: str = Field(description="kind of the noise process")


class StoredAdapter(Frozen):
    """A conditioner, and the keys and values by which a denoiser attends to what it gives."""

    format: Format = 1
    latelier: str = Field(description="version of latelier that wrote it")
    name: str = Field(description="of its input, unless it is given another")
    description: str = ""
    conditioner: StoredComponent
    adapter: StoredComponent
    trained_on: TrainedOn | None = Field(None, description="None: not known")
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts for people: data, licence, measures"
    )

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not name.isidentifier():
            raise ValueError("a name is letters, digits and underscores")
        return name

    def files(self) -> list[StoredFile]:
        """Return the files of both."""
        return [*self.conditioner.files(), *self.adapter.files()]


def read_adapter(folder: Path) -> StoredAdapter:
    """Return what the `adapter.json` of a folder says; no weight is read.

    Raises:
        ModelFileError: there is no such folder, it holds no adapter, or a damaged one.
    """
    if folder.is_file():
        raise ModelFileError(f"{folder}: is a file; an adapter is a folder with {ADAPTER_FILE}")
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: there is no such folder")
    if not (folder / ADAPTER_FILE).is_file():
        raise ModelFileError(f"{folder}: is no adapter: it holds no {ADAPTER_FILE}")
    return read_json(folder / ADAPTER_FILE, StoredAdapter)
