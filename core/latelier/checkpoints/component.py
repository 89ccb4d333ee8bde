"""A component in memory and on disk: id, version, configuration, weights and assets."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from latelier.checkpoints.io.json_files import read_json
from latelier.checkpoints.io.verification import verify
from latelier.checkpoints.io.weights import build_on_meta, load_into, read_weights, write_weights
from latelier.checkpoints.manifests import (
    COMPONENT_FILE,
    StandaloneComponent,
    StoredComponent,
    StoredFile,
)
from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.contracts.messages import pip_install
from latelier.io.atomic import write_bytes, write_json
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import Kind
from latelier.nn.packed import PACKED_DTYPES
from latelier.nn.stored_weights import copy_sharing_weights
from latelier.nn.views import copy_to, replace_weights


@dataclass(frozen=True, eq=False)
class Component:
    """A module, and the plugin that it belongs to.

    Attributes:
        kind: "first_stage", "denoiser", "conditioner" or "adapter".
        id: 'distribution/name'.
        version: of the distribution.
        module: the module itself.
        weights_sha256: of the file that its weights were read from; None: they were not read.
        assets_sha256: of each of its other files, by name.
        origin: what `module` is a copy of, in the precision that is stored; None: it is no copy.
    """

    kind: Kind
    id: str
    version: str
    module: Any = field(repr=False)
    weights_sha256: str | None = None
    assets_sha256: Mapping[str, str] = field(default_factory=dict)
    origin: "Origin | None" = field(default=None, repr=False)

    @property
    def config(self) -> BaseModel:
        """The configuration of the module."""
        return self.module.config

    @cached_property
    def config_sha256(self) -> str:
        """SHA-256 of what the configuration has other than its defaults, as JSON with sorted keys.

        So it stays the same when a later version adds a field.
        """
        values = self.config.model_dump(mode="json", exclude_defaults=True)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def to(self, device: torch.device, dtype: torch.dtype) -> "Component":
        """Return the component on a device and computing in a precision: itself, or a copy.

        A copy in another precision knows its origin, which `store` writes. On the CPU it shares the
        weights that its layers cast themselves; see `latelier.nn.stored_weights`.
        """
        module = self.stored
        if self.origin is not None and self.origin.is_at(device, dtype):
            return self
        if all(_is_at(tensor, device, dtype) for tensor in tensors_of(module)):
            return self if module is self.module else replace(self, module=module, origin=None)
        if device.type == "cpu" and dtype in PACKED_DTYPES:
            copy = copy_sharing_weights(module, dtype)
        else:
            copy = copy_to(module, device, dtype)
        return self.with_copy(copy, device, dtype)

    def with_copy(self, copy: Any, device: torch.device, dtype: torch.dtype) -> "Component":
        """Return the component with a copy of what is stored, which is on a device.

        copy: computes in `dtype`.
        """
        origin = Origin(self.stored, device, dtype, _versions(copy))
        return replace(self, module=copy, origin=origin)

    def converted(self, dtype: torch.dtype) -> "Component":
        """Return the component on the CPU with its weights themselves in a precision."""
        cpu = torch.device("cpu")
        for module in (self.module, self.stored):
            if all(_is_at(tensor, cpu, dtype) for tensor in tensors_of(module)):
                return replace(self, module=module, origin=None)
        return replace(self, module=copy_to(self.stored, cpu, dtype), origin=None)

    def with_weights(self, weights: Mapping[str, Tensor]) -> "Component":
        """Return a view of the component with other weights, by name, in the stored precision."""
        if self.origin is None:
            return replace(self, module=replace_weights(self.module, weights))
        own = self.module.state_dict()
        view = replace_weights(
            self.module, {k: each.to(own[k].device, own[k].dtype) for k, each in weights.items()}
        )
        changed = replace_weights(self.stored, weights)
        return replace(
            self, module=view, origin=replace(self.origin, module=changed, versions=_versions(view))
        )

    def with_view(self, view_of: Callable[[Any], Any]) -> "Component":
        """Return the component with a view of its module, and of what is stored of it."""
        view = view_of(self.module)
        if view is self.module:
            return self
        if self.origin is None:
            return replace(self, module=view)
        origin = replace(self.origin, module=view_of(self.stored), versions=_versions(view))
        return replace(self, module=view, origin=origin)

    @property
    def stored(self) -> Any:
        """The module in the precision that is stored."""
        if self.origin is None or self.origin.versions != _versions(self.module):
            return self.module  # it was trained since
        return self.origin.module


@dataclass(frozen=True, eq=False)
class Origin:
    """What a copy was made of.

    Attributes:
        module: in the precision that is stored.
        device: of the copy.
        dtype: that the copy computes in.
        versions: of the copy's tensors, which tell whether they have changed since.
    """

    module: Any
    device: torch.device
    dtype: torch.dtype
    versions: tuple[int, ...]

    def is_at(self, device: torch.device, dtype: torch.dtype) -> bool:
        """Return whether the copy is on a device and computes in a precision."""
        return self.dtype == dtype and _is_on(self.device, device)


def new_component(
    kind: Kind, name: str, config: Mapping[str, Any] | BaseModel, atelier: Atelier
) -> Component:
    """Build a component with randomly initialized weights.

    Raises:
        UnknownNameError, AmbiguousNameError, InvalidConfigError: see `Registry`.
    """
    registry = atelier.registries[kind]
    spec = registry.spec(name)
    return Component(kind, spec.id, spec.version, registry.build(name, config))


def store(component: Component, folder: Path, name: str) -> StoredComponent:
    """Write the weights and assets of a component to `folder`, as files that begin with `name`."""
    state = component.stored.state_dict()
    weights = None
    if state:
        path = f"{name}.safetensors"
        weights = StoredFile(path=path, sha256=write_weights(folder / path, state))
    assets = {}
    for asset, data in assets_of(component.module).items():
        path = f"{name}.{asset}"
        assets[asset] = StoredFile(path=path, sha256=write_bytes(folder / path, data))
    return StoredComponent(
        id=component.id,
        version=component.version,
        config=component.config.model_dump(mode="json"),
        weights=weights,
        assets=assets,
    )


def assets_of(module: Any) -> Mapping[str, bytes]:
    """Return the files that a module needs in addition to its weights, by name."""
    return module.assets() if hasattr(module, "assets") else {}


def validate_config(
    kind: Kind, stored: StoredComponent, folder: Path, atelier: Atelier
) -> BaseModel:
    """Return the validated configuration of a stored component, without building it.

    Raises:
        ModelFileError: its plugin is not installed; the error names the pip command.
        InvalidConfigError: the installed plugin refuses the configuration.
    """
    try:
        return atelier.registries[kind].validate_config(stored.id, stored.config)
    except UnknownNameError as error:
        reason = explain_missing(kind, stored.id, atelier, stored.version)
        raise ModelFileError(f"{folder}: {reason}") from error


def restore(kind: Kind, stored: StoredComponent, folder: Path, atelier: Atelier) -> Component:
    """Build a stored component, with its weights mapped from disk.

    Raises:
        ModelFileError: its plugin is not installed, or a file is missing, damaged or changed.
        InvalidConfigError: the installed plugin refuses the configuration.
    """
    config = validate_config(kind, stored, folder, atelier)
    registry = atelier.registries[kind]
    module = build_on_meta(lambda: registry.build(stored.id, config))
    if stored.weights is not None:
        path = verify(stored.weights.within(folder), stored.weights.sha256)
        load_into(module, read_weights(path), f"{path}")
    elif module.state_dict():
        raise ModelFileError(f"{folder}: its {kind.replace('_', ' ')} names no weights")
    if stored.assets:
        if not hasattr(module, "set_assets"):
            raise ModelFileError(f"{folder}: '{stored.id}' takes no assets")
        module.set_assets(
            {
                name: verify(file.within(folder), file.sha256).read_bytes()
                for name, file in stored.assets.items()
            }
        )
    module.eval().requires_grad_(False)
    sha256 = stored.weights.sha256 if stored.weights else None
    assets = {name: file.sha256 for name, file in stored.assets.items()}
    return Component(kind, stored.id, registry.spec(stored.id).version, module, sha256, assets)


def save_component(folder: Path, component: Component) -> None:
    """Write a component to a folder of its own; `component.json` comes last."""
    stored = store(component, folder, component.kind)
    standalone = StandaloneComponent(kind=component.kind, **stored.model_dump())
    write_json(folder / COMPONENT_FILE, standalone.model_dump(mode="json"))


def load_component(folder: Path, kind: Kind, atelier: Atelier) -> Component:
    """Return the component in a folder that `save_component` wrote.

    Raises:
        ModelFileError: the folder holds no component or one of another kind; or see `restore`.
    """
    stored = read_json(folder / COMPONENT_FILE, StandaloneComponent)
    if stored.kind != kind:
        raise ModelFileError(f"{folder}: expected a {kind}, got a {stored.kind}")
    return restore(kind, stored, folder, atelier)


def explain_missing(kind: Kind, id_: str, atelier: Atelier, version: str | None = None) -> str:
    """Return why a component is not registered, and the pip command that fixes it.

    Args:
        kind: of the component.
        id_: 'distribution/name'.
        atelier: where the component is not registered.
        version: the lowest version of the distribution that will do; None: any.
    """
    distribution = id_.partition("/")[0]
    needs = f"needs the {kind.replace('_', ' ')} '{id_}'"
    failure = atelier.load_failure(distribution)
    if failure:
        return f"{needs}, and {failure}"
    installed = any(report.distribution == distribution for report in atelier.plugins)
    return f"{needs}: {pip_install(distribution, version, upgrade=installed)}"


def tensors_of(module: nn.Module) -> list[Tensor]:
    """Return all parameters and buffers of a module."""
    return [*module.parameters(), *module.buffers()]


def _versions(module: nn.Module) -> tuple[int, ...]:
    """Return numbers that rise when a tensor of a module is changed in place."""
    return tuple(0 if each.is_inference() else each._version for each in tensors_of(module))


def _is_at(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> bool:
    return _is_on(tensor.device, device) and (
        tensor.dtype == dtype or not tensor.is_floating_point()
    )


def _is_on(found: torch.device, device: torch.device) -> bool:
    return found.type == device.type and device.index in (None, found.index)
