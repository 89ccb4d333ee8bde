"""`latelier.json`: what a pipeline on disk consists of. Nothing in it can make code run."""

from pathlib import Path
from typing import Any

from pydantic import Field

from latelier.checkpoints.io.json_files import read_json
from latelier.checkpoints.manifests import (
    ADAPTER_FILE,
    COMPONENT_FILE,
    Format,
    StoredAdapter,
    StoredComponent,
)
from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import Frozen
from latelier.pipeline.request import Defaults

MANIFEST = "latelier.json"


class SavedAdapter(StoredAdapter):
    """An adapter that a model was saved with."""

    scale: float = Field(ge=0, allow_inf_nan=False, description="how much it counts")
    source: str | None = Field(None, description="where it was found: an id, or a folder")
    version: str | None = Field(None, description="of the distribution of that id")

    def components(self, name: str) -> dict[str, StoredComponent]:
        """Return its parts by the places that they have in a pipeline, where it is called so."""
        return {f"adapters.{name}": self.adapter, f"adapters.{name}.conditioner": self.conditioner}


class ManifestHeader(Frozen):
    """The components by full id and version, their configurations, files and hashes."""

    format: Format = 1
    latelier: str = Field(description="version of latelier that wrote it")
    description: str = ""
    first_stage: StoredComponent
    denoiser: StoredComponent
    conditioners: dict[str, StoredComponent] = Field(default_factory=dict)
    adapters: dict[str, SavedAdapter] = Field(
        default_factory=dict, description="what is added to the denoiser, by the names of inputs"
    )
    process: Any = Field(description="the noise process")
    inputs: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="public input -> the conditioners that it feeds"
    )
    defaults: Defaults
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts for people: data, licence, measures"
    )

    def components(self) -> dict[str, StoredComponent]:
        """Return every component by the place it has in the pipeline."""
        conditioners = {f"conditioners.{name}": each for name, each in self.conditioners.items()}
        found = {"first_stage": self.first_stage, "denoiser": self.denoiser, **conditioners}
        for name, adapter in self.adapters.items():
            found |= adapter.components(name)
        return found

    def fed(self, public: str) -> StoredComponent:
        """Return the conditioner that a public input feeds, the first where it feeds several."""
        name = self.inputs[public][0]
        return self.adapters[name].conditioner if name in self.adapters else self.conditioners[name]


def read_manifest_header(folder: Path) -> ManifestHeader:
    """Return the outline of a model folder.

    Raises:
        ModelFileError: there is none, or it is damaged or of a later format; or the folder holds a
            part of a model.
    """
    check_whole(folder)
    return read_json(folder / MANIFEST, ManifestHeader)


def check_whole(folder: Path) -> None:
    """Check that a folder is there, and holds no part of a model in place of one.

    Raises:
        ModelFileError: it is not, or does.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: there is no such folder")
    if (folder / MANIFEST).exists():
        return
    parts = {
        COMPONENT_FILE: "a component alone: `latelier.compose` makes a model of components",
        ADAPTER_FILE: "an adapter, which another model is given: --adapter, or `with_adapter`",
    }
    for file, what in parts.items():
        if (folder / file).exists():
            raise ModelFileError(f"{folder}: is no whole model; it holds {what}")
