"""What `latelier.json` says that can be read without torch: all but the noise process."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from latelier.checkpoints.json_files import read_json
from latelier.checkpoints.stored import StoredComponent
from latelier.kernel.errors import ModelFileError
from latelier.kernel.frozen import Frozen
from latelier.pipeline.request import Defaults

MANIFEST = "latelier.json"


class Outline(Frozen):
    """The components by full id and version, their configurations, files and hashes."""

    format: Literal[1] = 1
    latelier: str = Field(description="version of latelier that wrote it")
    description: str = ""
    first_stage: StoredComponent
    denoiser: StoredComponent
    conditioners: dict[str, StoredComponent] = Field(default_factory=dict)
    process: Any = Field(description="the noise process")
    inputs: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="public input -> the conditioners that it feeds"
    )
    defaults: Defaults
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts for people: data, licence, measures"
    )

    @field_validator("format", mode="before")
    @classmethod
    def _is_known(cls, value: Any) -> Any:
        if isinstance(value, int) and value > 1:
            raise ValueError(
                f"format {value} is of a later latelier: pip install --upgrade latelier"
            )
        return value

    def components(self) -> dict[str, StoredComponent]:
        """Return every component by the place it has in the pipeline."""
        conditioners = {f"conditioners.{name}": each for name, each in self.conditioners.items()}
        return {"first_stage": self.first_stage, "denoiser": self.denoiser, **conditioners}


def read_outline(folder: Path) -> Outline:
    """Return the outline of a model folder.

    Raises:
        ModelFileError: there is none, or it is damaged or of a later format.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: there is no such folder")
    return read_json(folder / MANIFEST, Outline)
