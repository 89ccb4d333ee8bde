"""`latelier.json`, the manifest of a saved pipeline, as it can be read without torch.

Nothing in it can run code.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from latelier.checkpoints.io.json_files import read_json
from latelier.checkpoints.manifests import (
    ADAPTER_FILE,
    COMPONENT_FILE,
    AdapterManifest,
    Format,
    StoredComponent,
)
from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import Frozen
from latelier.pipeline.request import Defaults

MANIFEST = "latelier.json"

_DIFFUSERS_FILE = "model_index.json"


class SavedAdapter(AdapterManifest):
    """An adapter that a model was saved with."""

    scale: float = Field(allow_inf_nan=False, description="strength, 0: off")
    start: float = Field(0.0, ge=0, le=1, description="share of the steps before it acts")
    end: float = Field(1.0, ge=0, le=1, description="share of the steps after which it is off")
    source: str | None = Field(None, description="where it was found: an id, a folder or a file")
    version: str | None = Field(None, description="of the distribution of that id")

    def components(self, name: str) -> dict[str, StoredComponent]:
        """Return its components by their places in a pipeline in which it is called `name`."""
        place = f"adapters.{name}"
        conditioner = {} if self.conditioner is None else {f"{place}.conditioner": self.conditioner}
        return {place: self.adapter, **conditioner}


class ManifestHeader(Frozen):
    """The manifest, its noise process unread: components with their files and hashes."""

    format: Format = 1
    latelier: str = Field(description="version of latelier that wrote it")
    description: str = ""
    first_stage: StoredComponent
    preview_decoder: StoredComponent | None = Field(
        None, description="the first stage that decodes previews; null: that of the model"
    )
    denoiser: StoredComponent
    conditioners: dict[str, StoredComponent] = Field(default_factory=dict)
    adapters: dict[str, SavedAdapter] = Field(
        default_factory=dict, description="by name, which is also that of their inputs"
    )
    process: Any = Field(description="the noise process")
    inputs: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="public input -> the conditioners that it feeds"
    )
    defaults: Defaults
    card: dict[str, Any] = Field(
        default_factory=dict, description="human-readable facts: data, licence, measures"
    )

    def components(self) -> dict[str, StoredComponent]:
        """Return every component by its place in the pipeline."""
        conditioners = {f"conditioners.{name}": each for name, each in self.conditioners.items()}
        found = {"first_stage": self.first_stage, "denoiser": self.denoiser, **conditioners}
        if self.preview_decoder is not None:
            found["preview_decoder"] = self.preview_decoder
        for name, adapter in self.adapters.items():
            found |= adapter.components(name)
        return found

    def conditioner_of(self, public: str) -> StoredComponent:
        """Return the conditioner that a public input feeds, the first of several."""
        name = self.inputs[public][0]
        adapter = self.adapters.get(name)
        own = None if adapter is None else adapter.conditioner
        return self.conditioners[name] if own is None else own


def read_manifest_header(folder: Path) -> ManifestHeader:
    """Return the header of the manifest in a model folder.

    Raises:
        ModelFileError: the folder has no manifest, a damaged one or one of a later format, or it
            holds a part of a model.
    """
    check_is_model(folder)
    return read_json(folder / MANIFEST, ManifestHeader)


def check_is_model(folder: Path) -> None:
    """Check that a folder exists, and is not that of a component or an adapter.

    Raises:
        ModelFileError: there is no such folder, or it holds a part of a model.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: there is no such folder")
    if (folder / MANIFEST).exists():
        return
    parts = {
        COMPONENT_FILE: "a single component: `latelier.compose` makes a model of components",
        ADAPTER_FILE: "an adapter: --adapter or `with_adapter` attaches it to a model",
        _DIFFUSERS_FILE: f"one of diffusers: `latelier import {folder} DEST` makes a model of it",
    }
    for file, what in parts.items():
        if (folder / file).exists():
            raise ModelFileError(f"{folder}: expected a model, found {what}")
