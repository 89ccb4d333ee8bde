"""A run of an engine: a plan as `pipeline.run` runs it, but on the shared device."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from latelier.engine.job import Job
from latelier.engine.shared_model import SharedModel
from latelier.engine.shared_parts import SharedDenoiser, SharedFirstStage
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Preview
from latelier.pipeline.plan import Plan
from latelier.pipeline.run import run


def run_job(job: Job, parts: PipelineParts, plan: Plan, model: SharedModel) -> Iterator[Preview]:
    """Yield the previews of a job's run. It stops where the job has to.

    Args:
        job: the job.
        parts: that its request uses.
        plan: of its request.
        model: computes what the run needs of the device.
    """
    torch.get_num_threads()  # only this call applies torch.set_num_threads to a new thread
    denoiser = SharedDenoiser(job, model, job.check)
    first_stage = SharedFirstStage(job, plan.first_stage, model)
    previews = SharedFirstStage(job, plan.preview_decoder, model)
    shared_plan = replace(plan, first_stage=first_stage, preview_decoder=previews)
    shared = parts.with_denoiser(denoiser, model.rows), shared_plan
    try:
        job.check()
        for preview in run(*shared, partial(model.encode_inputs, job)):
            job.check()
            yield preview
    finally:
        model.leave(job)
