"""One component on disk: its id, version and configuration, its weights, its other files."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from latelier.checkpoints.io.json_files import read_json
from latelier.checkpoints.io.verification import verify
from latelier.checkpoints.io.weights import (
    build_on_meta,
    load_into,
    read_weights,
    write_weights,
)
from latelier.checkpoints.manifests import COMPONENT_FILE, StoredComponent, StoredFile
from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.io.atomic import write_bytes, write_json
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import Kind


class StoredAlone(StoredComponent):
    """A component in a folder of its own."""

    kind: Kind


@dataclass(frozen=True, eq=False)
class Component:
    """A built component and who owns it.

    weights_sha256: of the file that its weights were read from, if they were.
    assets_sha256: of each of its other files, if it was read from files.
    """

    kind: Kind
    id: str
    version: str
    module: Any
    weights_sha256: str | None = None
    assets_sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> BaseModel:
        """The configuration that it was built with."""
        config: BaseModel = self.module.config
        return config

    @property
    def config_sha256(self) -> str:
        """SHA-256 of the configuration, as JSON with sorted keys."""
        values = json.dumps(self.config.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(values.encode()).hexdigest()

    def to(self, device: torch.device, dtype: torch.dtype) -> "Component":
        """Return it on a device and in a precision: itself if it is so already, else a copy."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        if all(_is_at(tensor, device, dtype) for tensor in tensors):
            return self
        return replace(self, module=deepcopy(self.module).to(device, dtype))


def new_component(
    kind: Kind, name: str, config: Mapping[str, Any] | BaseModel, atelier: Atelier
) -> Component:
    """Build a component with fresh weights.

    Raises:
        UnknownNameError, AmbiguousNameError, InvalidConfigError: see `Registry`.
    """
    registry = atelier.registry(kind)
    spec = registry.spec(name)
    return Component(kind, spec.id, spec.version, registry.build(name, config))


def store(component: Component, folder: Path, name: str) -> StoredComponent:
    """Write the weights and assets of a component to `folder`, files beginning with `name`."""
    module: nn.Module = component.module
    state = module.state_dict()
    weights = None
    if state:
        path = f"{name}.safetensors"
        weights = StoredFile(path=path, sha256=write_weights(folder / path, state))
    assets = {}
    for asset, data in assets_of(module).items():
        path = f"{name}.{asset}"
        assets[asset] = StoredFile(path=path, sha256=write_bytes(folder / path, data))
    return StoredComponent(
        id=component.id,
        version=component.version,
        config=component.config.model_dump(mode="json"),
        weights=weights,
        assets=assets,
    )


def validate_config(
    kind: Kind, stored: StoredComponent, folder: Path, atelier: Atelier
) -> BaseModel:
    """Return the configuration of a stored component, validated; nothing is built.

    Raises:
        ModelFileError: its plugin is not installed; names the pip line.
        InvalidConfigError: the installed plugin does not know the configuration.
    """
    try:
        return atelier.registry(kind).validate_config(stored.id, stored.config)
    except UnknownNameError as error:
        raise ModelFileError(_not_installed(kind, stored, folder, atelier)) from error


def restore(kind: Kind, stored: StoredComponent, folder: Path, atelier: Atelier) -> Component:
    """Build the component that `stored` describes, with its weights mapped from disk.

    Raises:
        ModelFileError: its plugin is not installed, or a file is missing, damaged or changed.
        InvalidConfigError: the installed plugin does not know the configuration.
    """
    config = validate_config(kind, stored, folder, atelier)
    registry = atelier.registry(kind)
    module = build_on_meta(lambda: registry.build(stored.id, config))
    if stored.weights is not None:
        path = verify(stored.weights.within(folder), stored.weights.sha256)
        load_into(module, read_weights(path), f"{path}")
    if stored.assets:
        if not hasattr(module, "set_assets"):
            raise ModelFileError(f"{folder}: '{stored.id}' takes no files beside its weights")
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
    alone = StoredAlone(kind=component.kind, **stored.model_dump())
    write_json(folder / COMPONENT_FILE, alone.model_dump(mode="json"))


def load_component(folder: Path, kind: Kind, atelier: Atelier) -> Component:
    """Return the component of a folder that `save_component` wrote.

    Raises:
        ModelFileError: there is none, it is of another kind, or see `restore`.
    """
    stored = read_json(folder / COMPONENT_FILE, StoredAlone)
    if stored.kind != kind:
        raise ModelFileError(f"{folder}: holds a {stored.kind}, a {kind} is wanted")
    return restore(kind, stored, folder, atelier)


def _is_at(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> bool:
    same_device = tensor.device.type == device.type and device.index in (None, tensor.device.index)
    return same_device and (tensor.dtype == dtype or not tensor.is_floating_point())


def assets_of(module: Any) -> Mapping[str, bytes]:
    """Return what a module needs beside its weights, by file name."""
    assets: Mapping[str, bytes] = module.assets() if hasattr(module, "assets") else {}
    return assets


def _not_installed(kind: Kind, stored: StoredComponent, folder: Path, atelier: Atelier) -> str:
    distribution = stored.id.partition("/")[0]
    what = f"{folder}: needs the {kind.replace('_', ' ')} '{stored.id}'"
    failure = atelier.load_failure(distribution)
    if failure:
        return f"{what}, and {failure}"
    installed = any(report.distribution == distribution for report in atelier.plugins)
    action = "install --upgrade" if installed else "install"
    return f"{what}: pip {action} '{distribution}>={stored.version}'"
