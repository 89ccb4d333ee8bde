"""Pipelines: composing components, running them, and saying afterwards what was done."""

from latelier.pipeline.composition import compose
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline

__all__ = ["Pipeline", "compose", "load"]
