"""An adapter in memory and on disk: its module, and the conditioner of its input if it has one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from latelier._version import __version__
from latelier.checkpoints.component import Component, restore, store, validate_config
from latelier.checkpoints.io.verification import verify
from latelier.checkpoints.lora.layers import find_parameters
from latelier.checkpoints.manifests import (
    ADAPTER_FILE,
    AdapterManifest,
    StoredComponent,
    StoredFile,
    TrainedOn,
)
from latelier.contracts.adapters import Model, WeightAdapter
from latelier.contracts.errors import CompatibilityError, ModelFileError
from latelier.contracts.messages import suggest_nearest
from latelier.io.atomic import write_json
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.guard import guard_plugin


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """An adapter whose weights are in memory.

    Attributes:
        name: by which pipelines list it, and call its input.
        adapter: the module; `latelier.contracts.adapters` says what it can be.
        conditioner: of its input; None: it has no input.
        description: one human-readable line.
        defaults: of requests with it, such as few steps, in place of the model's own.
        trained_on: the model that it was trained on; None: unknown.
        card: human-readable facts.
    """

    name: str
    adapter: Component
    conditioner: Component | None = None
    description: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    trained_on: TrainedOn | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def changes_weights(self) -> bool:
        """Whether it acts as changed weights of a view, and not as a part of calls."""
        return isinstance(self.adapter.module, WeightAdapter)

    def to(self, device: torch.device, dtype: torch.dtype) -> "LoadedAdapter":
        """Return the adapter on a device and in a precision, sharing what needs no change."""
        if self.changes_weights:
            return self  # its changes are added in float32, wherever the weights are
        conditioner = None if self.conditioner is None else self.conditioner.to(device, dtype)
        return replace(self, conditioner=conditioner, adapter=self.adapter.to(device, dtype))


def adapter_component(id_: str, module: Any, sha256: str | None = None) -> Component:
    """Return the module of an adapter of the core as a component.

    Args:
        id_: of its kind.
        module: the module.
        sha256: of the file that its weights are from.
    """
    return Component("adapter_kind", id_, __version__, module, sha256)


def store_adapter(
    loaded: LoadedAdapter,
    model: Model,
    folder: Path,
    prefix: str = "",
    write: Callable[[Path], str] | None = None,
) -> AdapterManifest:
    """Write the weights and assets of an adapter to `folder`, as files that begin with `prefix`.

    Args:
        loaded: the adapter.
        model: the modules of its model.
        folder: where to write.
        prefix: of the files.
        write: writes the weights of a weight adapter in place of its own `write`.
    """
    conditioner, adapter = loaded.conditioner, loaded.adapter
    return AdapterManifest(
        latelier=__version__,
        name=loaded.name,
        description=loaded.description,
        adapter=_store_module(adapter, model, folder, f"{prefix}adapter", write),
        conditioner=None
        if conditioner is None
        else store(conditioner, folder, f"{prefix}conditioner"),
        defaults=dict(loaded.defaults),
        trained_on=loaded.trained_on,
        card=dict(loaded.card),
    )


def save_adapter(
    loaded: LoadedAdapter,
    model: Model,
    folder: Path,
    write: Callable[[Path], str] | None = None,
) -> None:
    """Write an adapter to a folder of its own; `adapter.json` comes last."""
    stored = store_adapter(loaded, model, folder, write=write)
    write_json(folder / ADAPTER_FILE, stored.model_dump(mode="json"))


def _store_module(
    adapter: Component,
    model: Model,
    folder: Path,
    name: str,
    write: Callable[[Path], str] | None,
) -> StoredComponent:
    module = adapter.module
    if not isinstance(module, WeightAdapter):
        return store(adapter, folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    sha256 = module.write(path, model) if write is None else write(path)
    return StoredComponent(
        id=adapter.id,
        version=adapter.version,
        config=module.config.model_dump(mode="json"),
        weights=StoredFile(path=path.name, sha256=sha256),
    )


def restore_adapter(
    stored: AdapterManifest, folder: Path, model: Model, atelier: Atelier
) -> LoadedAdapter:
    """Return a stored adapter for a model. That it fits is checked before its weights are read.

    Raises:
        CompatibilityError: it is for another model; the error names what differs.
        ModelFileError: a plugin is not installed, or a file is missing, damaged or changed.
        InvalidConfigError: the installed plugin refuses a configuration.
    """
    _check(stored, folder, model, atelier)
    conditioner = stored.conditioner
    return LoadedAdapter(
        stored.name,
        _restore_module(stored.adapter, folder, model, atelier),
        None if conditioner is None else restore("conditioner", conditioner, folder, atelier),
        stored.description,
        stored.defaults,
        stored.trained_on,
        stored.card,
    )


def check_fits(loaded: LoadedAdapter, model: Model) -> None:
    """Check that an adapter in memory fits a model.

    Raises:
        CompatibilityError: it is for another model; the error names what differs.
    """
    module = loaded.adapter.module
    conditioner: Any = loaded.conditioner and loaded.conditioner.config
    module.config.check(loaded.name, conditioner, model["denoiser"])
    if not isinstance(module, WeightAdapter):
        return
    parameters = find_parameters(model)
    for address, change in module.changes.items():
        if address not in parameters:
            raise CompatibilityError(
                f"adapter '{loaded.name}': the model has no parameter '{address}'. "
                f"{suggest_nearest(address, parameters)}"
            )
        if change.shape != parameters[address].shape:
            raise CompatibilityError(
                f"adapter '{loaded.name}': '{address}' has the shape "
                f"{tuple(parameters[address].shape)}, the adapter changes one of {change.shape}"
            )


def _check(stored: AdapterManifest, folder: Path, model: Model, atelier: Atelier) -> None:
    config: Any = validate_config("adapter_kind", stored.adapter, folder, atelier)
    conditioner: Any = stored.conditioner and validate_config(
        "conditioner", stored.conditioner, folder, atelier
    )
    config.check(stored.name, conditioner, model["denoiser"])


def _restore_module(
    stored: StoredComponent, folder: Path, model: Model, atelier: Atelier
) -> Component:
    if not is_weight_adapter(atelier.adapter_kinds.get(stored.id)):
        return restore("adapter_kind", stored, folder, atelier)
    if stored.weights is None:
        raise ModelFileError(f"{folder}: its adapter names no weights")
    path = verify(stored.weights.within(folder), stored.weights.sha256)
    return read_weight_adapter(stored.id, path, stored.weights.sha256, model, atelier)


def read_weight_adapter(
    id_: str, path: Path, sha256: str, model: Model, atelier: Atelier
) -> Component:
    """Return the weight adapter in a file.

    Args:
        id_: of its kind.
        path: of the file.
        sha256: of the file.
        model: what it is for.
        atelier: where its kind is registered.

    Raises:
        ModelFileError: the file is damaged, or not of this kind.
        CompatibilityError: it is for a model of other layers; names them.
    """
    spec = atelier.adapter_kinds.spec(id_)
    with guard_plugin(f"the adapter kind '{spec.id}'"):
        module = atelier.adapter_kinds.get(spec.id).read(path, model)
    return Component("adapter_kind", spec.id, spec.version, module, sha256)


def is_weight_adapter(kind: Any) -> bool:
    """Return whether a registered kind of adapter changes weights."""
    return isinstance(kind, type) and hasattr(kind, "recognizes")
