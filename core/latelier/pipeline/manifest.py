"""`latelier.json`: what a pipeline on disk consists of. Nothing in it can make code run."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from latelier.checkpoints.component import StoredComponent
from latelier.checkpoints.json_files import read_json
from latelier.diffusion.processes import AnyProcess
from latelier.kernel.errors import ModelFileError
from latelier.kernel.frozen import Frozen
from latelier.pipeline.request import Defaults

MANIFEST = "latelier.json"
FORMAT = 1


class Manifest(Frozen):
    """The components by full id and version, their configurations, files and hashes."""

    format: Literal[1] = FORMAT
    latelier: str = Field(description="version of latelier that wrote it")
    description: str = ""
    first_stage: StoredComponent
    denoiser: StoredComponent
    conditioners: dict[str, StoredComponent] = Field(default_factory=dict)
    process: Annotated[AnyProcess, Field(description="the noise process")]
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
        return {"first_stage": self.first_stage, "denoiser": self.denoiser, **conditioners}


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a model folder.

    Raises:
        ModelFileError: there is none, or it is damaged or of a later format.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: there is no such folder")
    return read_json(folder / MANIFEST, Manifest)
