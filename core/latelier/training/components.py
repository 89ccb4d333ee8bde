"""Finished components that a training builds on."""

from pathlib import Path

from latelier.checkpoints.component import Component, load_component
from latelier.checkpoints.manifests import COMPONENT_FILE, TrainedOn
from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.kernel.atelier import Atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline


def load_first_stage(field: str, name: str, atelier: Atelier) -> Component:
    """Return the first stage in a component folder, or that of a model, on the CPU in float32.

    Raises:
        UnknownNameError: there is no such folder or model; names the field of the configuration.
        ModelFileError: a file is missing or damaged.
    """
    folder = Path(name)
    if (folder / COMPONENT_FILE).is_file():
        return load_component(folder, "first_stage", atelier)
    return load_base_model(field, name, atelier).first_stage_component


def load_base_model(field: str, name: str, atelier: Atelier) -> Pipeline:
    """Return a model that a field of the configuration names, on the CPU in float32.

    Raises:
        UnknownNameError: there is no such folder or model; names the field.
        ModelFileError: a file is missing or damaged; names the field.
    """
    try:
        return load(name, device="cpu", dtype="float32", atelier=atelier)
    except UnknownNameError as error:
        raise UnknownNameError(f"{field}: {error}", field=field) from None
    except ModelFileError as error:
        raise ModelFileError(f"{field}: {error}", field=field) from None


def describe_base(name: str, base: Pipeline) -> TrainedOn:
    """Return what an adapter records of the model that it is trained on."""
    denoiser = base.denoiser_component
    return TrainedOn(
        model=name,
        denoiser=denoiser.id,
        config_sha256=denoiser.config_sha256,
        weights_sha256=denoiser.weights_sha256,
        process=base.process.kind,
    )
