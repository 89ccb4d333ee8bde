"""Reads single files of Stable Diffusion: by the YAML that belongs to their shapes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.compvis.importer import CompVis
from latelier.checkpoints.importers.stable_diffusion.published import (
    is_stable_diffusion,
    published_config,
)
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, ImportSource


class StableDiffusion:
    """Checkpoints of Stable Diffusion 1 and 2 without their YAML.

    Options: prediction, "eps" or "v"; use_ema, whether averaged weights that are there are taken
    (false: as the published configurations say).
    """

    options = frozenset({"prediction", "use_ema"})

    def recognises(self, source: ImportSource, /) -> bool:
        """Tell whether there is no YAML, and the shapes are those of version 1 or 2."""
        return source.config is None and is_stable_diffusion(source.shapes())

    def read(self, source: ImportSource, /) -> Imported:
        """Return the model.

        Raises:
            ModelFileError: it is something else, another kind of Stable Diffusion, or its weights
                are not whole.
            InvalidConfigError: an option of another value.
        """
        shapes = source.shapes()
        if not is_stable_diffusion(shapes):
            raise ModelFileError(
                f"{source.path}: has not the names and shapes of Stable Diffusion 1 or 2"
            )
        config, notes = published_config(shapes, source.path.name, source.options)
        found = CompVis().read(_Configured(source, config))
        return replace(found, notes=(*notes, *found.notes[1:]))


@dataclass(frozen=True)
class _Configured:
    """A source with a configuration that is not its own."""

    source: ImportSource
    config: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.source.path

    @property
    def options(self) -> dict[str, Any]:
        return {}

    def shapes(self) -> Any:
        return self.source.shapes()

    def tensors(self) -> Any:
        return self.source.tensors()

    def tensors_of(self, path: Path, /) -> dict[str, Tensor]:
        return dict(self.source.tensors_of(path))

    def sibling(self, name: str, /) -> bytes | None:
        return self.source.sibling(name)
