"""latelier: making images with latent diffusion, out of parts that anyone can add.

Importing this package is cheap: names are looked up, and torch imported, when they are used.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from latelier._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from latelier.conditioner import Conditioner
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.condition import Condition, Part, Stream
    from latelier.kernel.contracts import Frame, Guidance, Sampler, Schedule, Step
    from latelier.kernel.errors import LatelierError
    from latelier.kernel.frozen import Frozen
    from latelier.kernel.hookspecs import hookimpl
    from latelier.kernel.inputs import Box, Color, Image, Mask, SemanticMap
    from latelier.kernel.registrar import Registrar
    from latelier.kernel.registry import Registry
    from latelier.kernel.slots import ConditionerConfig, Gives
    from latelier.pipeline import Pipeline, compose, load
    from latelier.pipeline.building import build
    from latelier.pipeline.exporting import export_model
    from latelier.pipeline.importing import import_model

    conditioners: Registry[Callable[..., Any]]
    guidances: Registry[Guidance]
    samplers: Registry[Sampler]
    schedules: Registry[Schedule]

__all__ = [
    "Atelier",
    "Box",
    "Color",
    "Condition",
    "Conditioner",
    "ConditionerConfig",
    "Frame",
    "Frozen",
    "Gives",
    "Image",
    "LatelierError",
    "Mask",
    "Part",
    "Pipeline",
    "Registrar",
    "SemanticMap",
    "Step",
    "Stream",
    "__version__",
    "build",
    "compose",
    "conditioners",
    "default_atelier",
    "export_model",
    "guidances",
    "hookimpl",
    "import_model",
    "load",
    "samplers",
    "schedules",
]

_HOMES = {
    "Atelier": "latelier.kernel.atelier",
    "Box": "latelier.kernel.inputs",
    "Color": "latelier.kernel.inputs",
    "Condition": "latelier.kernel.condition",
    "Conditioner": "latelier.conditioner",
    "ConditionerConfig": "latelier.kernel.slots",
    "Frame": "latelier.kernel.contracts",
    "Frozen": "latelier.kernel.frozen",
    "Gives": "latelier.kernel.slots",
    "Image": "latelier.kernel.inputs",
    "LatelierError": "latelier.kernel.errors",
    "Mask": "latelier.kernel.inputs",
    "Part": "latelier.kernel.condition",
    "Pipeline": "latelier.pipeline",
    "Registrar": "latelier.kernel.registrar",
    "SemanticMap": "latelier.kernel.inputs",
    "Step": "latelier.kernel.contracts",
    "Stream": "latelier.kernel.condition",
    "build": "latelier.pipeline.building",
    "compose": "latelier.pipeline",
    "export_model": "latelier.pipeline.exporting",
    "hookimpl": "latelier.kernel.hookspecs",
    "import_model": "latelier.pipeline.importing",
    "load": "latelier.pipeline",
}
_REGISTRIES = ("conditioners", "guidances", "samplers", "schedules")


@cache
def default_atelier() -> "Atelier":
    """Return the atelier that is used where none is given: all installed plugins, made once."""
    from latelier.kernel.atelier import Atelier

    return Atelier()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _REGISTRIES:
        return getattr(default_atelier(), name)
    raise AttributeError(f"module 'latelier' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
