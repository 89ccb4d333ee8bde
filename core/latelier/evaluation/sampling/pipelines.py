"""A pipeline as a problem: its model under given inputs and guidance."""

from collections.abc import Sequence
from typing import Any

import torch

from latelier.contracts.components import PictureGeometry
from latelier.evaluation.sampling.problem import Problem
from latelier.pipeline.pipeline import Pipeline


def make_pipeline_problem(
    pipeline: Pipeline, name: str, seeds: Sequence[int], **run: Any
) -> Problem:
    """Return the problem of sampling a pipeline's latents, one start for each seed.

    Args:
        pipeline: the pipeline to sample from.
        name: of the problem, to be shown.
        seeds: a multiple of the rows of inputs; a single row counts for all seeds.
        run: arguments of `Pipeline.denoise_fn`: inputs, guidance, size ...
    """
    inputs = set(pipeline.inputs) & run.keys()
    rows = max((len(run[each]) for each in inputs if isinstance(run[each], list)), default=1)
    n = len(seeds) // rows
    denoise = pipeline.denoise_fn(**run, n=n)
    width, height = run.get("size") or pipeline.defaults.size
    geometry = PictureGeometry.of_picture(width, height, pipeline.first_stage)
    shape = (pipeline.first_stage.config.latent_channels, *geometry.latent_size)
    return Problem(name, pipeline.process, denoise, seeds, shape, torch.float32, geometry)
