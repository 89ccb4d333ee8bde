"""An adapter in memory and on disk: a conditioner, and keys and values for a denoiser."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from latelier._version import __version__
from latelier.checkpoints.component import Component, restore, store, validate_config
from latelier.checkpoints.io.verification import verify
from latelier.checkpoints.io.weights import build_on_meta, load_into, read_weights
from latelier.checkpoints.manifests import (
    ADAPTER_FILE,
    ADAPTER_ID,
    StoredAdapter,
    StoredComponent,
    TrainedOn,
)
from latelier.contracts.errors import CompatibilityError, ModelFileError
from latelier.contracts.frozen import validate
from latelier.denoisers.adapter import Adapter
from latelier.denoisers.checks import check_adapter as check_layers
from latelier.denoisers.configs import AdapterConfig
from latelier.io.atomic import write_json
from latelier.kernel.atelier import Atelier


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """An adapter whose weights are in memory.

    Attributes:
        name: of its input.
        conditioner: makes a stream of tokens.
        adapter: the keys and values for that stream, an `Adapter`.
        description: one human-readable line.
        trained_on: the model that it was trained on; None: unknown.
        card: human-readable facts.
    """

    name: str
    conditioner: Component
    adapter: Component
    description: str = ""
    trained_on: TrainedOn | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    def to(self, device: torch.device, dtype: torch.dtype) -> "LoadedAdapter":
        """Return the adapter on a device and in a precision, sharing what needs no change."""
        return replace(
            self,
            conditioner=self.conditioner.to(device, dtype),
            adapter=self.adapter.to(device, dtype),
        )


def adapter_component(module: Adapter) -> Component:
    """Return the keys and values of an adapter as a component."""
    return Component("adapter", ADAPTER_ID, __version__, module)


def store_adapter(adapter: LoadedAdapter, folder: Path, prefix: str = "") -> StoredAdapter:
    """Write the weights and assets of both parts to `folder`, as files that begin with `prefix`."""
    return StoredAdapter(
        latelier=__version__,
        name=adapter.name,
        description=adapter.description,
        conditioner=store(adapter.conditioner, folder, f"{prefix}conditioner"),
        adapter=store(adapter.adapter, folder, f"{prefix}adapter"),
        trained_on=adapter.trained_on,
        card=dict(adapter.card),
    )


def save_adapter(adapter: LoadedAdapter, folder: Path) -> None:
    """Write an adapter to a folder of its own; `adapter.json` comes last."""
    stored = store_adapter(adapter, folder)
    write_json(folder / ADAPTER_FILE, stored.model_dump(mode="json"))


def check_adapter(stored: StoredAdapter, denoiser: Any, folder: Path, atelier: Atelier) -> None:
    """Check that a stored adapter fits a denoiser, without reading weights.

    Raises:
        CompatibilityError: the adapter does not fit; the error names the layers and widths.
        ModelFileError: the plugin of its conditioner is not installed.
        InvalidConfigError: a configuration in it is invalid.
    """
    conditioner: Any = validate_config("conditioner", stored.conditioner, folder, atelier)
    config = _config(stored.adapter, folder)
    check_adapter_config(stored.name, config, conditioner, denoiser)


def check_adapter_config(name: str, config: AdapterConfig, conditioner: Any, denoiser: Any) -> None:
    """Check that an adapter fits its conditioner and a denoiser.

    Args:
        name: of the adapter.
        config: of the adapter.
        conditioner: the configuration of the conditioner.
        denoiser: the denoiser itself.

    Raises:
        CompatibilityError: the adapter does not fit; the error names the layers and widths.
    """
    outputs = {slot: width for slot, width in conditioner.outputs() if width is not None}
    if outputs != {"stream": config.width}:
        found = ", ".join(f"a {slot} of {width}" for slot, width in outputs.items()) or "nothing"
        raise CompatibilityError(
            f"adapter '{name}': expected a conditioner with one stream of width {config.width}, "
            f"got {found}"
        )
    layers: Mapping[str, int] = getattr(denoiser, "cross_attentions", {})
    check_layers(name, config, layers if "adapters" in denoiser.config.supports else {})


def restore_adapter(stored: StoredAdapter, folder: Path, atelier: Atelier) -> LoadedAdapter:
    """Build a stored adapter, with its weights mapped from disk.

    Raises:
        ModelFileError: a plugin is not installed, or a file is missing, damaged or changed.
        InvalidConfigError: the installed plugin refuses a configuration.
    """
    return LoadedAdapter(
        stored.name,
        restore("conditioner", stored.conditioner, folder, atelier),
        _restore_layers(stored.adapter, folder),
        stored.description,
        stored.trained_on,
        stored.card,
    )


def _restore_layers(stored: StoredComponent, folder: Path) -> Component:
    config = _config(stored, folder)
    if stored.weights is None:
        raise ModelFileError(f"{folder}: its adapter names no weights")
    path = verify(stored.weights.within(folder), stored.weights.sha256)
    module = build_on_meta(lambda: Adapter(config))
    load_into(module, read_weights(path), f"{path}")
    module.eval().requires_grad_(False)
    return Component("adapter", stored.id, stored.version, module, stored.weights.sha256)


def _config(stored: StoredComponent, folder: Path) -> AdapterConfig:
    if stored.id != ADAPTER_ID:
        raise ModelFileError(
            f"{folder}: unknown adapter '{stored.id}': pip install --upgrade latelier"
        )
    return validate(AdapterConfig, stored.config, f"{folder}: adapter")
