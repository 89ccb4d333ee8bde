"""Finished components that a training builds on."""

from pathlib import Path

from latelier.checkpoints.component import Component, load_component
from latelier.checkpoints.manifests import COMPONENT_FILE
from latelier.kernel.atelier import Atelier
from latelier.pipeline.loading import load


def load_first_stage(name: str, atelier: Atelier) -> Component:
    """Return the first stage in a component folder, or that of a model, on the CPU in float32.

    Raises:
        UnknownNameError: there is no such folder or model.
        ModelFileError: a file is missing or damaged.
    """
    folder = Path(name)
    if (folder / COMPONENT_FILE).is_file():
        return load_component(folder, "first_stage", atelier)
    return load(name, device="cpu", dtype="float32", atelier=atelier).first_stage_component
