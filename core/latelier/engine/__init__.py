"""An engine: many requests at once, served by one model in shared calls of its denoiser."""

from latelier.engine.engine import Engine
from latelier.engine.job import Job
from latelier.engine.stats import Stats

__all__ = ["Engine", "Job", "Stats"]
