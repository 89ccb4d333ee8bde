"""Reads single files of Stable Diffusion by the YAML that was published with their shapes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.clip import PROMPT_SYNTAX
from latelier.checkpoints.importers.compvis.importer import CompVis
from latelier.checkpoints.importers.compvis.tensors import COND_STAGE, has_controlnet
from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS
from latelier.checkpoints.importers.stable_diffusion.published import (
    is_stable_diffusion,
    published_config,
)
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, ImportSource

_PASSED_ON = (PROMPT_SYNTAX, IGNORE_LEFTOVERS)
"""Options of the importer of checkpoints with their YAML."""


class StableDiffusion:
    """Checkpoints of Stable Diffusion 1 and 2 without their YAML.

    Options: prediction, "eps" or "v"; use_ema, whether averaged weights are used if they are there
    (false: as in the published configurations); prompt_syntax, "plain", "a1111" or "comfyui";
    ignore_leftovers, unexpected tensors to ignore.
    """

    options = frozenset({"prediction", "use_ema", *_PASSED_ON})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether it has no YAML and the shapes of version 1 or 2, without a ControlNet."""
        if source.config is not None:
            return False
        shapes = source.shapes()
        return is_stable_diffusion(shapes) and not has_controlnet(shapes)

    def read(self, source: ImportSource, /) -> Imported:
        """Return the model.

        Raises:
            ModelFileError: the file is of another model, or its weights are incomplete.
            InvalidConfigError: an option is invalid.
        """
        shapes = source.shapes()
        if not is_stable_diffusion(shapes):
            raise ModelFileError(
                f"{source.path}: lacks the names and shapes of Stable Diffusion 1 or 2"
            )
        if not any(name.startswith(COND_STAGE) for name in shapes):
            raise ModelFileError(
                f"{source.path}: is a checkpoint without its text encoder (no {COND_STAGE}*): "
                "merge that into it, or import the folder of its pipeline"
            )
        config, notes = published_config(shapes, source.path.name, source.options)
        found = CompVis().read(_WithConfig(source, config))
        return replace(found, notes=(*notes, *found.notes[1:]))


@dataclass(frozen=True)
class _WithConfig:
    """A source with another configuration."""

    source: ImportSource
    config: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.source.path

    @property
    def options(self) -> dict[str, Any]:
        options = self.source.options
        return {name: options[name] for name in _PASSED_ON if name in options}

    def shapes(self) -> Any:
        return self.source.shapes()

    def tensors(self) -> Any:
        return self.source.tensors()

    def tensors_of(self, path: Path, /) -> dict[str, Tensor]:
        return dict(self.source.tensors_of(path))

    def sibling(self, name: str, /) -> bytes | None:
        return self.source.sibling(name)
