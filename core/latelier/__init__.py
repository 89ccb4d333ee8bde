"""latelier: image generation with latent diffusion, from components that anyone can add.

Importing this package is cheap: a name is resolved, and torch imported, when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latelier._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from latelier.contracts.components import PictureGeometry
    from latelier.contracts.condition import Condition, ConditionPart, Stream
    from latelier.contracts.conditioner import Conditioner
    from latelier.contracts.configs import ConditionerConfig, OutputSpec
    from latelier.contracts.errors import LatelierError
    from latelier.contracts.frozen import Frozen
    from latelier.contracts.images.references import Reference
    from latelier.contracts.images.types import Image, Mask, SemanticMap
    from latelier.contracts.inputs import Box, Color
    from latelier.contracts.sampling import Acceleration, Guidance, Sampler, Schedule, Step
    from latelier.contracts.sigma_grid import SigmaGrid
    from latelier.conversion.building import build
    from latelier.conversion.exporting import export_model
    from latelier.conversion.importing import import_model
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.default import default_atelier
    from latelier.kernel.hookspecs import hookimpl
    from latelier.kernel.registrar import Registrar
    from latelier.kernel.registry import Registry
    from latelier.pipeline import Pipeline, compose, load
    from latelier.pipeline.storage.catalog import list_models

    accelerations: Registry[Acceleration]
    conditioners: Registry[Callable[..., Any]]
    guidances: Registry[Guidance]
    samplers: Registry[Sampler]
    schedules: Registry[Schedule]

__all__ = [
    "Atelier",
    "Box",
    "Color",
    "Condition",
    "ConditionPart",
    "Conditioner",
    "ConditionerConfig",
    "Frozen",
    "Image",
    "LatelierError",
    "Mask",
    "OutputSpec",
    "PictureGeometry",
    "Pipeline",
    "Reference",
    "Registrar",
    "SemanticMap",
    "SigmaGrid",
    "Step",
    "Stream",
    "__version__",
    "accelerations",
    "build",
    "compose",
    "conditioners",
    "default_atelier",
    "export_model",
    "guidances",
    "hookimpl",
    "import_model",
    "list_models",
    "load",
    "samplers",
    "schedules",
]

_MODULES = {
    "Atelier": "latelier.kernel.atelier",
    "Box": "latelier.contracts.inputs",
    "Color": "latelier.contracts.inputs",
    "Condition": "latelier.contracts.condition",
    "Conditioner": "latelier.contracts.conditioner",
    "ConditionerConfig": "latelier.contracts.configs",
    "PictureGeometry": "latelier.contracts.components",
    "Frozen": "latelier.contracts.frozen",
    "OutputSpec": "latelier.contracts.configs",
    "Image": "latelier.contracts.images.types",
    "LatelierError": "latelier.contracts.errors",
    "Mask": "latelier.contracts.images.types",
    "ConditionPart": "latelier.contracts.condition",
    "Pipeline": "latelier.pipeline",
    "Reference": "latelier.contracts.images.references",
    "Registrar": "latelier.kernel.registrar",
    "SemanticMap": "latelier.contracts.images.types",
    "SigmaGrid": "latelier.contracts.sigma_grid",
    "Step": "latelier.contracts.sampling",
    "Stream": "latelier.contracts.condition",
    "build": "latelier.conversion.building",
    "compose": "latelier.pipeline",
    "default_atelier": "latelier.kernel.default",
    "export_model": "latelier.conversion.exporting",
    "hookimpl": "latelier.kernel.hookspecs",
    "import_model": "latelier.conversion.importing",
    "list_models": "latelier.pipeline.storage.catalog",
    "load": "latelier.pipeline",
}
_REGISTRIES = ("accelerations", "conditioners", "guidances", "samplers", "schedules")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name in _REGISTRIES:
        from latelier.kernel.default import default_atelier

        return getattr(default_atelier(), name)
    raise AttributeError(f"module 'latelier' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
