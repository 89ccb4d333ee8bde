"""`latelier.json`: what a pipeline on disk consists of. Nothing in it can make code run."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from latelier.checkpoints.json_files import read_json
from latelier.diffusion.processes import AnyProcess
from latelier.kernel.errors import ModelFileError
from latelier.pipeline.outline import MANIFEST, Outline


class Manifest(Outline):
    """The whole of it."""

    process: Annotated[AnyProcess, Field(description="the noise process")]


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a model folder.

    Raises:
        ModelFileError: there is none, or it is damaged or of a later format.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: there is no such folder")
    return read_json(folder / MANIFEST, Manifest)
