"""Adapters of a pipeline: how they are found, checked and attached."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from latelier.checkpoints.adapter import (
    LoadedAdapter,
    check_fits,
    restore_adapter,
    store_adapter,
)
from latelier.checkpoints.adapter_files import (
    explain_other_format,
    find_weights,
    read_adapter_file,
    suggest_suffix,
)
from latelier.checkpoints.component import Component
from latelier.checkpoints.manifests import ADAPTER_FILE, AdapterManifest, read_adapter
from latelier.contracts.adapters import Model
from latelier.contracts.errors import (
    InvalidConfigError,
    InvalidInputError,
    ModelFileError,
    UnknownNameError,
)
from latelier.contracts.frozen import validate
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.pipeline.request import Defaults
from latelier.pipeline.storage.manifest_header import SavedAdapter

Placement = tuple[torch.device, torch.dtype]
"""Where tensors are, and in which precision."""

_DEFAULTS = {"steps", "sampler", "schedule", "guidance"}
"""What an adapter may change of the defaults of its model."""

_ROUNDING = 1e-9
"""So that 0.7 of 10 steps, 7.000000000000001, are 7."""


@dataclass(frozen=True)
class AdapterSource:
    """A folder or file that holds an adapter, and how it can be found again.

    Attributes:
        name: the id of a registered adapter, or the path of the folder or file as it was given.
        path: of the folder with its files, or of the file of weights.
        version: of the distribution that registered it; None for a path.
    """

    name: str
    path: Path
    version: str | None = None


def find_adapter(
    name: str | Path, atelier: Atelier
) -> tuple[AdapterSource, AdapterManifest | None]:
    """Return where the adapter called `name` is, registered or a path, and its manifest.

    A file of weights alone has no manifest.

    Raises:
        InvalidInputError: `name` is not a name or path.
        UnknownNameError: no adapter of that name is registered, and there is no such path.
        AmbiguousNameError: several distributions registered the name.
        ModelFileError: the folder holds no adapter, or a damaged one.
        PluginError: a plugin registered a folder that it does not have.
    """
    source = _locate(name, atelier)
    if source.path.is_file():
        return source, None
    try:
        return source, read_adapter(source.path)
    except ModelFileError as error:
        reason = explain_other_format(source.path, atelier)
        raise ModelFileError(f"{source.path}: {reason}") if reason else error from None


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
                hint = suggest_suffix(path)
                raise UnknownNameError(f"{error} Nor is there such a path.{hint}") from None
    elif isinstance(name, str) and not path.exists():
        hint = suggest_suffix(path)
        raise UnknownNameError(f"no adapter '{name}': there is no such path.{hint}")
    is_manifest = path.name == ADAPTER_FILE
    given = Path(name).parent if is_manifest else Path(name)
    return AdapterSource(_as_path(given), find_weights(path.parent if is_manifest else path))


def _as_path(path: Path) -> str:
    """Return a path as it was given, in a form that is no registered name."""
    is_plain = path.is_absolute() or str(path).startswith((".", "~"))
    return str(path) if is_plain else f".{os.sep}{path}"


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


@dataclass(frozen=True)
class Strength:
    """How strongly an adapter acts, and when.

    Attributes:
        scale: 1 is the strength of training, 0 is off. That of changed weights may be below 0,
            which subtracts the change.
        start: share of a run's steps before it acts, 0..1.
        end: share of a run's steps after which it is off, 0..1.

    Raises:
        InvalidInputError: a value is no number, or out of range.
    """

    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not _is_number(self.scale):
            raise InvalidInputError.of_field(
                "scale", f"the scale of an adapter is a finite number, not {self.scale!r}"
            )
        start, end = self.start, self.end
        if not (_is_number(start) and _is_number(end) and 0 <= start <= end <= 1):
            raise InvalidInputError.of_field(
                "start", f"an adapter acts from a start to an end in 0..1, not {start!r} to {end!r}"
            )

    def sigma_range(self, sigmas: SigmaGrid) -> tuple[float, float]:
        """Return the sigmas (low, high] at which an adapter acts in a run with these steps."""
        steps = sigmas.steps
        first = math.ceil(self.start * steps - _ROUNDING)
        end = math.floor(self.end * steps + _ROUNDING)
        high = math.inf if first == 0 else sigmas[min(first, steps)]
        return (-math.inf if end == steps else sigmas[end]), high


@dataclass(frozen=True, eq=False, repr=False)
class AttachedAdapter:
    """An adapter in a pipeline.

    Attributes:
        loaded: its module, and the conditioner of its input.
        strength: how strongly it acts. Changed weights act in all steps.
        source: where it was found; None for an adapter from memory.
        saved: whether the model was saved with it. Its weights are then the model's, whatever the
            plugin that it came from holds now.
    """

    loaded: LoadedAdapter
    strength: Strength = Strength()
    source: AdapterSource | None = None
    saved: bool = False

    def __post_init__(self) -> None:
        scale, name = self.strength.scale, self.loaded.name
        if self.changes_weights and replace(self.strength, scale=1.0) != Strength():
            raise InvalidInputError.of_field(
                "end" if self.strength.start == 0 else "start",
                f"'{name}' changes weights, which are the same in all steps",
            )
        if self.changes_weights and not self.loaded.adapter.module.changes and scale not in (0, 1):
            raise InvalidInputError.of_field(
                "scale", f"'{name}' adds words, which have no scale; weight them in the prompt"
            )
        if not self.changes_weights and scale < 0:
            raise InvalidInputError.of_field(
                "scale", f"the scale of an adapter is a number, 0 or more, not {scale!r}"
            )

    def __repr__(self) -> str:
        """Return its name, kind, strength and source in one line."""
        at = ", ".join(f"{name}={value:g}" for name, value in vars(self.strength).items())
        source = "memory" if self.source is None else self.source.name
        kind = self.loaded.adapter.id
        return f"<{type(self).__name__} {self.loaded.name}: {kind}, {at}, from {source}>"

    @property
    def changes_weights(self) -> bool:
        """Whether it acts as changed weights of a view, and not as a part of calls."""
        return self.loaded.changes_weights

    @property
    def plugin_source(self) -> AdapterSource | None:
        """Where it is in a plugin; None where its weights are of no plugin."""
        source = None if self.saved else self.source
        return source if source is not None and source.version is not None else None

    def to(self, device: torch.device, dtype: torch.dtype) -> "AttachedAdapter":
        """Return the adapter on a device and in a precision."""
        return replace(self, loaded=self.loaded.to(device, dtype))

    def store(self, name: str, model: Model, folder: Path) -> SavedAdapter:
        """Write it to the folder of a model in which it is called `name`; return its record."""
        stored = store_adapter(self.loaded, model, folder, f"adapter.{name}.")
        return SavedAdapter(
            **stored.model_dump(),
            **vars(self.strength),
            source=None if self.source is None else self.source.name,
            version=None if self.source is None else self.source.version,
        )

    def components(self, name: str) -> dict[str, Component]:
        """Return its components by their places in a pipeline in which it is called `name`."""
        place, conditioner = f"adapters.{name}", self.loaded.conditioner
        own = {} if conditioner is None else {f"{place}.conditioner": conditioner}
        return {place: self.loaded.adapter, **own}


def attach(
    adapter: LoadedAdapter | tuple[AdapterSource, AdapterManifest | None],
    strength: Strength,
    model: Model,
    placement: Placement,
    atelier: Atelier,
) -> AttachedAdapter:
    """Return an adapter for a model. That it fits is checked before its weights are read.

    Args:
        adapter: in memory, or where it is and its manifest; a file alone has none.
        strength: how strongly it acts.
        model: the modules of the model, by place, without changed weights.
        placement: device and precision of the pipeline.
        atelier: where names are looked up.

    Raises:
        CompatibilityError: the adapter is for another model; names the layers and widths.
        ModelFileError: a file of the adapter is missing, damaged or changed.
        InvalidInputError: the scale, start or end is invalid.
    """
    if isinstance(adapter, LoadedAdapter):
        check_fits(adapter, model)
        return AttachedAdapter(adapter.to(*placement), strength)
    source, stored = adapter
    if stored is None:
        loaded = read_adapter_file(source.path, model, atelier)
    else:
        loaded = restore_adapter(stored, source.path, model, atelier)
    return AttachedAdapter(loaded.to(*placement), strength, source)


def attach_saved(
    saved: SavedAdapter, folder: Path, model: Model, placement: Placement, atelier: Atelier
) -> AttachedAdapter:
    """Return an adapter that a model was saved with.

    Raises:
        CompatibilityError: the adapter is for another model.
        ModelFileError: a file of the adapter is missing, damaged or changed, or its scale, start or
            end is invalid.
        InvalidConfigError: an installed plugin does not know a configuration of the adapter.
    """
    source = None if saved.source is None else AdapterSource(saved.source, folder, saved.version)
    loaded = restore_adapter(saved, folder, model, atelier).to(*placement)
    try:
        strength = Strength(saved.scale, saved.start, saved.end)
        return AttachedAdapter(loaded, strength, source, saved=True)
    except InvalidInputError as error:
        raise ModelFileError(f"{folder}: adapter '{saved.name}': {error}") from None


def update_defaults(defaults: Defaults, adapter: LoadedAdapter) -> Defaults:
    """Return the defaults of a pipeline with those that an adapter has.

    Raises:
        ModelFileError: the adapter has an invalid default, or one that is the model's alone.
    """
    changed, what = adapter.defaults, f"adapter '{adapter.name}': defaults"
    for name in changed:
        if name not in _DEFAULTS:
            raise ModelFileError(f"{what}: '{name}' is none of {', '.join(sorted(_DEFAULTS))}")
    try:
        return validate(Defaults, {**defaults.model_dump(), **changed}, what)
    except InvalidConfigError as error:
        raise ModelFileError(str(error)) from None
