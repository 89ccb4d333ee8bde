"""Adapters of a pipeline: where they are found, and what a view has of them."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latelier.checkpoints.adapter import (
    LoadedAdapter,
    check_adapter,
    check_fit,
    restore_adapter,
    store_adapter,
)
from latelier.checkpoints.component import Component
from latelier.checkpoints.manifests import ADAPTER_FILE, StoredAdapter, read_adapter
from latelier.contracts.components import ScaledAdapter
from latelier.contracts.errors import CompatibilityError, InvalidInputError, UnknownNameError
from latelier.kernel.atelier import Atelier
from latelier.pipeline.manifest_header import SavedAdapter
from latelier.pipeline.request import KEYWORDS

if TYPE_CHECKING:
    from latelier.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class AdapterSource:
    """A folder that holds an adapter, and the name by which it can be found again.

    name: id of a registered one, or the folder. version: of the distribution that registered it.
    """

    name: str
    folder: Path
    version: str | None = None


def find_adapter(name: str | Path, atelier: Atelier) -> tuple[AdapterSource, StoredAdapter]:
    """Return the adapter called `name`, and what it says of itself: registered, else a folder.

    Raises:
        InvalidInputError: it is no name or path.
        UnknownNameError: it is neither; lists those that are registered.
        AmbiguousNameError: several distributions registered the name.
        ModelFileError: the folder holds none, or a damaged one.
        PluginError: a plugin registered a folder that it does not have.
    """
    source = _source(name, atelier)
    return source, read_adapter(source.folder)


def _source(name: str | Path, atelier: Atelier) -> AdapterSource:
    if not isinstance(name, str | Path):
        raise InvalidInputError(f"an adapter is a registered name or a folder, not {name!r:.80}")
    registry = atelier.adapters
    path = _expanded(name)
    if isinstance(name, str):
        try:
            spec = registry.spec(name)
            return AdapterSource(spec.id, registry.folder(spec.id), spec.version)
        except UnknownNameError as error:
            if not path.exists():
                raise UnknownNameError(f"there is no folder '{name}', and {error}") from None
    folder = path.parent if path.name == ADAPTER_FILE else path
    return AdapterSource(str(folder.resolve()), folder)


def _expanded(name: str | Path) -> Path:
    """Return a path, in the folder of a user where it begins with one that there is."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # of nobody
        return Path(name)


@dataclass(frozen=True, eq=False)
class AttachedAdapter:
    """An adapter in a pipeline, and how much it counts.

    source: where it was found; None where it came from memory. saved: whether the model was saved
    with it, so that its weights are the model's and no plugin's.
    """

    loaded: LoadedAdapter
    scale: float = 1.0
    source: AdapterSource | None = None
    saved: bool = False

    @property
    def registered(self) -> AdapterSource | None:
        """Where a plugin has it, if that is where it came from."""
        found = None if self.saved else self.source
        return found if found is not None and found.version is not None else None

    def to(self, device: torch.device, dtype: torch.dtype) -> "AttachedAdapter":
        """Return it on a device and in a precision."""
        return replace(self, loaded=self.loaded.to(device, dtype))

    @property
    def use(self) -> ScaledAdapter:
        """What a call of the denoiser is given of it."""
        return ScaledAdapter(self.loaded.adapter.module, self.scale)

    def stored(self, name: str, folder: Path) -> SavedAdapter:
        """Write it to the folder of a model, where it is called `name`."""
        stored = store_adapter(self.loaded, folder, f"adapter.{name}.")
        source = self.source
        return SavedAdapter(
            **stored.model_dump(),
            scale=self.scale,
            source=None if source is None else source.name,
            version=None if source is None else source.version,
        )

    def components(self, name: str) -> dict[str, Component]:
        """Return its parts by the places that they have in a pipeline, where it is called so."""
        return {
            f"adapters.{name}": self.loaded.adapter,
            f"adapters.{name}.conditioner": self.loaded.conditioner,
        }


def attached(
    pipeline: "Pipeline", adapter: str | Path | LoadedAdapter, scale: float
) -> AttachedAdapter:
    """Return an adapter for a pipeline, on its device; that it fits is checked before it is read.

    Args:
        pipeline: what it is for.
        adapter: a registered name, a folder, or one in memory.
        scale: 0 or more.

    Raises:
        UnknownNameError: there is no such adapter; lists those that are registered.
        CompatibilityError: it is for another denoiser; names the layers and widths.
        ModelFileError: a file of it is missing, damaged or changed.
        InvalidInputError: the scale is no number, or below 0; `adapter` is none of the three.
    """
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 <= scale < math.inf:
        raise InvalidInputError(f"scale: of an adapter is a number, 0 or more, not {scale!r}")
    place = pipeline.device, pipeline.dtype
    if isinstance(adapter, LoadedAdapter):
        config, told_by = adapter.adapter.module.config, adapter.conditioner.config
        check_fit(adapter.name, config, told_by, pipeline.denoiser)
        return AttachedAdapter(adapter.to(*place), float(scale))
    source, stored = find_adapter(adapter, pipeline.atelier)
    check_adapter(stored, pipeline.denoiser, source.folder, pipeline.atelier)
    loaded = _restored(stored, source.folder, place, pipeline.atelier)
    return AttachedAdapter(loaded, float(scale), source)


def check_name(pipeline: "Pipeline", name: str) -> None:
    """Check that an adapter can be called `name` in a pipeline.

    Raises:
        InvalidInputError: it is no name, or a keyword of `generate`.
        CompatibilityError: something there has the name already.
    """
    if not isinstance(name, str) or not name.isidentifier() or name in KEYWORDS:
        raise InvalidInputError(
            f"an adapter cannot be called {name!r}: a name is letters, digits and underscores, and "
            "no keyword of generate"
        )
    taken = {*pipeline.inputs, *pipeline.conditioners, *pipeline.denoiser.config.inputs().streams}
    if name in taken:
        raise CompatibilityError(
            f"this pipeline has something called '{name}' already; call the adapter something else "
            "with as_"
        )


def saved_adapter(
    saved: SavedAdapter,
    denoiser: Any,
    folder: Path,
    place: tuple[torch.device, torch.dtype],
    atelier: Atelier,
) -> AttachedAdapter:
    """Return an adapter that a model was saved with.

    Raises:
        CompatibilityError, ModelFileError, InvalidConfigError: see `attached`.
    """
    check_adapter(saved, denoiser, folder, atelier)
    source = None if saved.source is None else AdapterSource(saved.source, folder, saved.version)
    return AttachedAdapter(
        _restored(saved, folder, place, atelier), saved.scale, source, saved=True
    )


def _restored(
    stored: StoredAdapter, folder: Path, place: tuple[torch.device, torch.dtype], atelier: Atelier
) -> LoadedAdapter:
    loaded = restore_adapter(stored, folder, atelier)
    for component in (loaded.conditioner, loaded.adapter):
        component.module.to(*place)
    return loaded
