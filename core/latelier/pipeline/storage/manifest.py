"""`latelier.json`, the manifest of a saved pipeline."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from latelier.checkpoints.io.json_files import read_json
from latelier.diffusion.processes.kinds import AnyProcess
from latelier.pipeline.storage.manifest_header import MANIFEST, ManifestHeader, check_is_model


class Manifest(ManifestHeader):
    """The manifest of a saved pipeline. Nothing in it can run code."""

    process: Annotated[AnyProcess, Field(description="the noise process")]


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a model folder.

    Raises:
        ModelFileError: the folder has no manifest, a damaged one or one of a later format, or it
            holds a part of a model.
    """
    check_is_model(folder)
    return read_json(folder / MANIFEST, Manifest)
