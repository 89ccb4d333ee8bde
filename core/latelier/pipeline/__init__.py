"""Pipelines: components that fit together, runs of them, and the provenance of pictures.

A name is imported when it is used, so that a manifest can be read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latelier.pipeline.composition import compose
    from latelier.pipeline.loading import load
    from latelier.pipeline.pipeline import Pipeline

__all__ = ["Pipeline", "compose", "load"]

_HOMES = {
    "Pipeline": "latelier.pipeline.pipeline",
    "compose": "latelier.pipeline.composition",
    "load": "latelier.pipeline.loading",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'latelier.pipeline' has no attribute '{name}'")
