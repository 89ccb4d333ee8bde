"""LoRAs of a pipeline: how they are checked, attached and stored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latelier.checkpoints.component import Component
from latelier.checkpoints.lora.lora import LoadedLora, find_layers
from latelier.checkpoints.lora.reading import read_lora
from latelier.checkpoints.lora.storage import restore_lora, store_lora
from latelier.checkpoints.manifests import StoredLora
from latelier.contracts.errors import CompatibilityError, InvalidConfigError, ModelFileError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggest_nearest
from latelier.pipeline.adapters import AdapterSource, Attached, check_scale
from latelier.pipeline.request import Defaults
from latelier.pipeline.storage.manifest_header import SavedLora

_DEFAULTS = {"steps", "sampler", "schedule", "guidance"}
"""What a LoRA may change of the defaults of its model."""


@dataclass(frozen=True, eq=False)
class AttachedLora(Attached):
    """A LoRA in a pipeline.

    Attributes:
        loaded: its changes.
        scale: its strength; 1 is that of training, 0 is off, below 0 the change is subtracted.
        source: where it was found; None for a LoRA from memory.
        saved: whether the model was saved with it.
    """

    loaded: LoadedLora
    scale: float = 1.0
    source: AdapterSource | None = None
    saved: bool = False

    @property
    def component(self) -> Component:
        """Its changes, as a component of a pipeline."""
        return self.loaded.component

    def store(self, name: str, components: Mapping[str, Component], folder: Path) -> SavedLora:
        """Write it to the folder of a model in which it is called `name`; return its record."""
        stored = store_lora(self.loaded, components, folder, f"adapter.{name}.safetensors")
        return SavedLora(**stored.model_dump(), **self.record())


def attach_lora(
    lora: LoadedLora | AdapterSource,
    stored: StoredLora | None,
    scale: float,
    components: Mapping[str, Component],
) -> AttachedLora:
    """Return a LoRA for a model.

    Args:
        lora: in memory, or where it is.
        stored: its description; None for one in memory and for a file alone.
        scale: its strength.
        components: the denoiser and conditioners of the model, by place, without LoRAs.

    Raises:
        CompatibilityError: it is for a model of other layers; names them.
        ModelFileError: a file is missing, damaged or changed, or no LoRA.
        InvalidInputError: the scale is not a finite number.
    """
    check_scale(scale, lowest=-math.inf)
    if isinstance(lora, LoadedLora):
        check_lora(lora, components)
        return AttachedLora(lora, scale)
    if stored is None:
        return AttachedLora(read_lora(lora.path, components), scale, lora)
    return AttachedLora(restore_lora(stored, lora.path, components), scale, lora)


def attach_saved_lora(
    saved: SavedLora, components: Mapping[str, Component], folder: Path
) -> AttachedLora:
    """Return a LoRA that a model was saved with.

    Raises:
        CompatibilityError: it is for a model of other layers.
        ModelFileError: its file is missing, damaged or changed.
    """
    loaded = restore_lora(saved, folder, components)
    source = None if saved.source is None else AdapterSource(saved.source, folder, saved.version)
    return AttachedLora(loaded, saved.scale, source, saved=True)


def update_defaults(defaults: Defaults, lora: AttachedLora) -> Defaults:
    """Return the defaults of a pipeline with those that a LoRA has.

    Raises:
        ModelFileError: the LoRA has an invalid default, or one that is the model's alone.
    """
    changed, what = lora.loaded.defaults, f"LoRA '{lora.loaded.name}': defaults"
    for name in changed:
        if name not in _DEFAULTS:
            raise ModelFileError(f"{what}: '{name}' is none of {', '.join(sorted(_DEFAULTS))}")
    try:
        return validate(Defaults, {**defaults.model_dump(), **changed}, what)
    except InvalidConfigError as error:
        raise ModelFileError(str(error)) from None


def check_lora(lora: LoadedLora, components: Mapping[str, Component]) -> None:
    """Check that the changes of a LoRA fit the layers of a model.

    Raises:
        CompatibilityError: the model lacks a layer, or has it in another shape.
    """
    layers = find_layers(components)
    for address, change in lora.lora.changes.items():
        if address not in layers:
            raise CompatibilityError(
                f"LoRA '{lora.name}': the model has no layer '{address}'. "
                f"{suggest_nearest(address, layers)}"
            )
        found = (len(change.up), *change.down.shape[1:])
        if found != layers[address].weight.shape:
            raise CompatibilityError(
                f"LoRA '{lora.name}': '{address}' has a weight of "
                f"{tuple(layers[address].weight.shape)}, the LoRA changes one of {found}"
            )
