"""A run of an engine: a plan as `pipeline.run` runs it, but on the shared device."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from latelier.contracts.components import Denoiser
from latelier.engine.batcher import Batcher
from latelier.engine.job import Job
from latelier.engine.shared_parts import SharedDenoiser, SharedFirstStage
from latelier.engine.turns import Turns
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Preview
from latelier.pipeline.plan import Plan
from latelier.pipeline.run import run


def share(
    parts: PipelineParts,
    plan: Plan,
    job: Job,
    denoiser: Denoiser,
    batcher: Batcher,
    turns: Turns,
    rows: int | None,
) -> tuple[PipelineParts, Plan]:
    """Return the parts and the plan of a job that does its work on the shared device.

    Args:
        parts: that its request uses.
        plan: of its request.
        job: the job.
        denoiser: of the engine.
        batcher: of the engine.
        turns: of the engine.
        rows: of every call of the denoiser, where they are fixed.
    """
    shared = SharedDenoiser(job, denoiser, batcher, turns, job.check)
    first_stage = SharedFirstStage(job, plan.first_stage, batcher, turns)
    return parts.with_denoiser(shared, rows), replace(plan, first_stage=first_stage)


def run_job(
    job: Job, parts: PipelineParts, plan: Plan, batcher: Batcher, turns: Turns
) -> Iterator[Preview]:
    """Yield the previews of a job's run. It stops where the job has to.

    Args:
        job: the job.
        parts: of `share`.
        plan: of `share`.
        batcher: of the engine.
        turns: of the engine.
    """
    torch.get_num_threads()  # only this call applies torch.set_num_threads to a new thread
    try:
        job.check()
        for preview in run(parts, plan):
            job.check()
            yield preview
    finally:
        batcher.leave(job)
        turns.end(job)
