"""Finished components that a training builds on."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from latelier.checkpoints.component import Component, load_component
from latelier.checkpoints.manifests import COMPONENT_FILE, TrainedOn
from latelier.contracts.errors import InvalidConfigError, ModelFileError, UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.io.atomic import write_json
from latelier.kernel.atelier import Atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline
from latelier.training.configs.components import InputSource

_log = logging.getLogger(__name__)

FIXED_FILE = "fixed.json"
"""Name of the file in a run's folder with the hashes of components that are not trained."""


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
        return load(name, device="cpu", dtype="float32", atelier=atelier).converted("float32")
    except UnknownNameError as error:
        raise UnknownNameError(f"{field}: {error}", field=field) from None
    except ModelFileError as error:
        raise ModelFileError(f"{field}: {error}", field=field) from None


def copy_weights(place: str, component: Component, source: Component, start_from: str) -> None:
    """Copy the weights of a finished component into a new one of the same id.

    Their configurations may differ where the weights still fit. Weights that the new component has
    beyond those stay as it was made. The log says what differs and what is new.

    Args:
        place: the field of the configuration that describes the new component.
        component: the new one.
        source: the finished one.
        start_from: the model that has it.

    Raises:
        InvalidConfigError: they have other ids, or a weight has no place in the new component.
    """
    hint = f"leave out what configures '{place}' to take it as it is"
    if source.id != component.id:
        raise InvalidConfigError(
            f"start_from: the {place} of '{start_from}' is '{source.id}', not '{component.id}'; "
            f"{hint}"
        )
    own, weights = component.module.state_dict(), source.module.state_dict()
    for name, weight in weights.items():
        shape = own[name].shape if name in own else None
        if shape != weight.shape:
            wanted = "none" if shape is None else str(tuple(shape))
            raise InvalidConfigError(
                f"start_from: the {place} of '{start_from}' does not fit the configuration: it has "
                f"a weight '{name}' {tuple(weight.shape)}, and here it is {wanted}; {hint}"
            )
    component.module.load_state_dict(weights, strict=False)
    differing = _list_differences(source.config, component.config)
    if differing:
        added = ", ".join(name for name in own if name not in weights) or "none"
        _log.warning(
            f"start_from: the {place} of '{start_from}' has other values of "
            f"{', '.join(differing)}; weights that begin anew: {added}"
        )


def _list_differences(old: BaseModel, new: BaseModel) -> list[str]:
    """Return the fields whose values differ, also in the order of their keys."""
    values = old.model_dump(mode="json")
    return [
        name
        for name, value in new.model_dump(mode="json").items()
        if json.dumps(value) != json.dumps(values[name])
    ]


def resolve_inputs(
    base: Pipeline, inputs: Mapping[str, InputSource] | None, sample: Mapping[str, Any]
) -> Mapping[str, InputSource]:
    """Return the source of each public input that training provides.

    Args:
        base: the model.
        inputs: sources by public input; None: each that a sample has a field for.
        sample: of the data.
    """
    if inputs is not None:
        return inputs
    return {name: InputSource(source=name) for name in base.inputs if name in sample}


def collect_sources(
    base: Pipeline, name: str, inputs: Mapping[str, InputSource]
) -> dict[str, InputSource]:
    """Return the source of each conditioner that inputs of a model feed.

    Args:
        base: the model.
        name: of the model, for messages.
        inputs: sources of its public inputs, and of conditioners that repaint pictures.

    Raises:
        UnknownNameError: the model has no such input.
    """
    fed = {**base.inputs, **{each: (each,) for each in base.inpainting_conditioners}}
    for public in inputs:
        if public not in fed:
            raise UnknownNameError(
                f"inputs: the model '{name}' has no input '{public}'. {suggestion(public, fed)}"
            )
    return {each: source for public, source in inputs.items() for each in fed[public]}


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


def pin_components(out: Path, is_new: bool, fixed: Mapping[str, Component]) -> None:
    """Record the weights of components that a run uses as they are; check those of a resumed run.

    Checkpoints do not hold them. With other ones, such as a first stage that was trained on in the
    meantime, the run would go on with latents that its denoiser has never seen.

    Args:
        out: Folder of the run.
        is_new: Whether the run has no checkpoint yet.
        fixed: The components that are not trained, by their places.

    Raises:
        InvalidConfigError: the weights of a component have changed.
    """
    path = out / FIXED_FILE
    hashes = {place: component.weights_sha256 for place, component in fixed.items()}
    if is_new or not path.is_file():
        write_json(path, hashes)
        return
    recorded = _read_hashes(path)
    changed = sorted(place for place in hashes if hashes[place] != recorded.get(place))
    if changed:
        raise InvalidConfigError(
            f"{path}: the weights of {', '.join(changed)} are not those that this run began with; "
            "restore them, or start a new run in another out"
        )


def _read_hashes(path: Path) -> dict[str, Any]:
    try:
        hashes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidConfigError(f"{path}: cannot be read ({error}); delete it") from None
    return hashes if isinstance(hashes, dict) else {}
