"""A pipeline as a problem: the model that a person samples from, with its guidance."""

from collections.abc import Sequence
from typing import Any

import torch

from latelier.evaluation.sampling.problem import Problem
from latelier.pipeline.pipeline import Pipeline


def problem_of(pipeline: Pipeline, name: str, seeds: Sequence[int], **asked: Any) -> Problem:
    """Return the problem of sampling a pipeline's latents, one start for each seed.

    Args:
        pipeline: whose model is sampled.
        name: for people.
        seeds: as many as the rows of inputs, or one input stands for all.
        asked: what `Pipeline.denoise_fn` takes: inputs, guidance, size ...
    """
    inputs = set(pipeline.inputs) & asked.keys()
    rows = max((len(asked[each]) for each in inputs if isinstance(asked[each], list)), default=1)
    n = len(seeds) // rows
    denoise = pipeline.denoise_fn(**asked, n=n)
    config = pipeline.first_stage.config
    width, height = asked.get("size") or pipeline.defaults.size
    f = config.downsampling
    shape = (config.latent_channels, height // f, width // f)
    return Problem(name, pipeline.process, denoise, seeds, shape, torch.float32)
