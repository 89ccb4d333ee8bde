"""Adapters of a pipeline: how they are found, checked and attached."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from latelier.checkpoints.adapter import (
    LoadedAdapter,
    check_adapter,
    check_adapter_config,
    restore_adapter,
    store_adapter,
)
from latelier.checkpoints.component import Component
from latelier.checkpoints.manifests import (
    ADAPTER_FILE,
    StoredAdapter,
    StoredLora,
    read_adapter,
)
from latelier.contracts.components import Denoiser, ScaledAdapter
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.pipeline.storage.manifest_header import SavedAdapter

Placement = tuple[torch.device, torch.dtype]
"""Where tensors are, and in which precision."""


@dataclass(frozen=True)
class AdapterSource:
    """A folder that holds an adapter, or a file of a LoRA, and how it can be found again.

    Attributes:
        name: the id of a registered adapter, or the path of the folder or file.
        path: of the folder with its files, or of the file.
        version: of the distribution that registered it; None for a path.
    """

    name: str
    path: Path
    version: str | None = None


def find_adapter(
    name: str | Path, atelier: Atelier
) -> tuple[AdapterSource, StoredAdapter | StoredLora | None]:
    """Return where the adapter called `name` is, registered or a path, and its manifest.

    A file of a LoRA has no manifest.

    Raises:
        InvalidInputError: `name` is not a name or path.
        UnknownNameError: no adapter of that name is registered, and there is no such path.
        AmbiguousNameError: several distributions registered the name.
        ModelFileError: the folder holds no adapter, or a damaged one.
        PluginError: a plugin registered a folder that it does not have.
    """
    source = _locate(name, atelier)
    return source, None if source.path.is_file() else read_adapter(source.path)


def _locate(name: str | Path, atelier: Atelier) -> AdapterSource:
    if not isinstance(name, str | Path):
        raise InvalidInputError(f"an adapter is a registered name or a folder, not {name!r:.80}")
    registry = atelier.adapters
    path = expand_home(name)
    if isinstance(name, str) and not name.startswith((".", "/", "~")):
        try:
            spec = registry.spec(name)
            return AdapterSource(spec.id, registry.folder(spec.id), spec.version)
        except UnknownNameError as error:
            if not path.exists():
                raise UnknownNameError(f"{error} Nor is there such a path.") from None
    elif isinstance(name, str) and not path.exists():
        raise UnknownNameError(f"no adapter '{name}': there is no such path")
    folder = path.parent if path.name == ADAPTER_FILE else path
    return AdapterSource(str(folder.resolve()), folder)


class Attached:
    """What is attached to a pipeline: where it comes from, and what a saved model records of it."""

    scale: float
    source: AdapterSource | None
    saved: bool

    @property
    def plugin_source(self) -> AdapterSource | None:
        """Where it is in a plugin; None where its weights are of no plugin."""
        source = None if self.saved else self.source
        return source if source is not None and source.version is not None else None

    def record(self) -> dict[str, Any]:
        """Return the fields that the manifest of a saved model adds to its description."""
        source = self.source
        return {
            "scale": self.scale,
            "source": None if source is None else source.name,
            "version": None if source is None else source.version,
        }


@dataclass(frozen=True, eq=False)
class AttachedAdapter(Attached):
    """An adapter in a pipeline.

    Attributes:
        loaded: its modules.
        scale: its strength, 0 or more; 1 is the strength of training.
        source: where it was found; None for an adapter from memory.
        saved: whether the model was saved with it. Its weights are then the model's, whatever the
            plugin that it came from holds now.
    """

    loaded: LoadedAdapter
    scale: float = 1.0
    source: AdapterSource | None = None
    saved: bool = False

    @property
    def scaled(self) -> ScaledAdapter:
        """The adapter as a call of the denoiser takes it."""
        return ScaledAdapter(self.loaded.adapter.module, self.scale)

    def to(self, device: torch.device, dtype: torch.dtype) -> "AttachedAdapter":
        """Return the adapter on a device and in a precision."""
        return replace(self, loaded=self.loaded.to(device, dtype))

    def store(self, name: str, folder: Path) -> SavedAdapter:
        """Write it to the folder of a model in which it is called `name`; return its record."""
        stored = store_adapter(self.loaded, folder, f"adapter.{name}.")
        return SavedAdapter(**stored.model_dump(), **self.record())

    def components(self, name: str) -> dict[str, Component]:
        """Return its components by their places in a pipeline in which it is called `name`."""
        return {
            f"adapters.{name}": self.loaded.adapter,
            f"adapters.{name}.conditioner": self.loaded.conditioner,
        }


def attach(
    adapter: LoadedAdapter | tuple[AdapterSource, StoredAdapter],
    scale: float,
    denoiser: Denoiser,
    placement: Placement,
    atelier: Atelier,
) -> AttachedAdapter:
    """Return an adapter for a denoiser. That it fits is checked before its weights are read.

    Args:
        adapter: in memory, or where it is and its manifest.
        scale: 0 or more.
        denoiser: what the adapter is for.
        placement: device and precision of the pipeline.
        atelier: where names are looked up.

    Raises:
        CompatibilityError: the adapter is for another denoiser; names the layers and widths.
        ModelFileError: a file of the adapter is missing, damaged or changed.
        InvalidInputError: the scale is not a number or is below 0.
    """
    check_scale(scale, lowest=0)
    if isinstance(adapter, LoadedAdapter):
        config, conditioner = adapter.adapter.module.config, adapter.conditioner.config
        check_adapter_config(adapter.name, config, conditioner, denoiser)
        return AttachedAdapter(adapter.to(*placement), float(scale))
    source, stored = adapter
    check_adapter(stored, denoiser, source.path, atelier)
    loaded = _restore(stored, source.path, placement, atelier)
    return AttachedAdapter(loaded, float(scale), source)


def attach_saved(
    saved: SavedAdapter, denoiser: Denoiser, folder: Path, placement: Placement, atelier: Atelier
) -> AttachedAdapter:
    """Return an adapter that a model was saved with.

    Raises:
        CompatibilityError: the adapter is for another denoiser.
        ModelFileError: a file of the adapter is missing, damaged or changed.
        InvalidConfigError: an installed plugin does not know a configuration of the adapter.
    """
    check_adapter(saved, denoiser, folder, atelier)
    source = None if saved.source is None else AdapterSource(saved.source, folder, saved.version)
    loaded = _restore(saved, folder, placement, atelier)
    return AttachedAdapter(loaded, saved.scale, source, saved=True)


def check_scale(scale: Any, lowest: float) -> None:
    """Check that the scale of an adapter is a finite number, `lowest` or more.

    Raises:
        InvalidInputError: it is not.
    """
    is_number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if not (is_number and math.isfinite(scale) and scale >= lowest):
        least = "a finite number" if lowest == -math.inf else f"a number, {lowest:g} or more"
        raise InvalidInputError(
            f"scale: the scale of an adapter is {least}, not {scale!r}", field="scale"
        )


def _restore(
    stored: StoredAdapter, folder: Path, placement: Placement, atelier: Atelier
) -> LoadedAdapter:
    return restore_adapter(stored, folder, atelier).to(*placement)
