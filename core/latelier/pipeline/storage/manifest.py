"""`latelier.json`: what a pipeline on disk consists of. Nothing in it can make code run."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from latelier.checkpoints.io.json_files import read_json
from latelier.diffusion.processes.kinds import AnyProcess
from latelier.pipeline.storage.manifest_header import MANIFEST, ManifestHeader, check_whole


class Manifest(ManifestHeader):
    """The whole of it."""

    process: Annotated[AnyProcess, Field(description="the noise process")]


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a model folder.

    Raises:
        ModelFileError: there is none, or it is damaged or of a later format; or the folder holds a
            part of a model.
    """
    check_whole(folder)
    return read_json(folder / MANIFEST, Manifest)
