"""The files that describe a component or an adapter in its folder. Readable without torch."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from latelier.checkpoints.io.json_files import read_json
from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import Frozen
from latelier.kernel.spec import Kind

COMPONENT_FILE = "component.json"
"""Describes a component in a folder of its own."""

ADAPTER_FILE = "adapter.json"
"""Describes an adapter in a folder of its own."""


def _refuse_later(value: Any) -> Any:
    if isinstance(value, int) and value > 1:
        raise ValueError(f"format {value} is of a later latelier: pip install --upgrade latelier")
    return value


Format = Annotated[Literal[1], BeforeValidator(_refuse_later)]
"""The version of the file format."""


class StoredFile(Frozen):
    """A file of a model folder.

    Attributes:
        path: relative to the folder.
        sha256: of its bytes.
    """

    path: str
    sha256: str

    def within(self, folder: Path) -> Path:
        """Return the path of the file in `folder`.

        Raises:
            ModelFileError: it would lie outside the folder.
        """
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise ModelFileError(
                f"{folder}: the manifest names the file '{self.path}' outside the folder"
            )
        return folder / self.path


class StoredComponent(Frozen):
    """A component and its files, as a manifest describes them."""

    id: str = Field(description="'distribution/name'")
    version: str = Field(description="version of the distribution that wrote it")
    config: dict[str, Any]
    weights: StoredFile | None = None
    assets: dict[str, StoredFile] = Field(default_factory=dict)

    def files(self) -> list[StoredFile]:
        """Return its weights and assets."""
        return [*([self.weights] if self.weights else []), *self.assets.values()]


class StandaloneComponent(StoredComponent):
    """A component that is stored without a model."""

    kind: Kind


class TrainedOn(Frozen):
    """The model that an adapter was trained on. Models of the same shapes may take it too."""

    model: str = Field(description="its name: embedded, a folder, or owner/name on the hub")
    denoiser: str = Field(description="id of the denoiser")
    config_sha256: str = Field(description="of the denoiser's configuration")
    weights_sha256: str | None = Field(None, description="of the denoiser's weights")
    process: str = Field(description="kind of the noise process")


class AdapterManifest(Frozen):
    """An adapter of any kind: its module, and the conditioner of its input if it has one."""

    format: Format = 1
    latelier: str = Field(description="version of latelier that wrote it")
    name: str = Field(description="by which pipelines list it, and call its input")
    description: str = ""
    adapter: StoredComponent
    conditioner: StoredComponent | None = Field(None, description="None: it has no input")
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="of requests with it, in place of the model's own"
    )
    trained_on: TrainedOn | None = Field(None, description="None: unknown")
    card: dict[str, Any] = Field(
        default_factory=dict, description="human-readable facts: data, licence, measures"
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isidentifier():
            raise ValueError("a name is letters, digits and underscores")
        return name

    def parts(self) -> dict[str, StoredComponent]:
        """Return its components."""
        conditioner = {} if self.conditioner is None else {"conditioner": self.conditioner}
        return {"adapter": self.adapter, **conditioner}


def read_adapter(folder: Path) -> AdapterManifest:
    """Return the description of the adapter in a folder, without reading weights.

    Raises:
        ModelFileError: the folder is missing, or holds no adapter or a damaged one.
    """
    if folder.is_file():
        raise ModelFileError(f"{folder}: expected the folder of an adapter, got a file")
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: file or folder not found")
    if not (folder / ADAPTER_FILE).is_file():
        raise ModelFileError(f"{folder}: is not an adapter: it holds no {ADAPTER_FILE}")
    return read_json(folder / ADAPTER_FILE, AdapterManifest)
