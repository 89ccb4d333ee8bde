"""How many pictures a model generates in a second."""

import time
from pathlib import Path

import torch

import latelier
from benchmarks.tradeoff.models import Model
from benchmarks.tradeoff.study import SAMPLING_STEPS, TEST_SEED, Study

BATCH = 50
"""Pictures that are generated at once."""


def throughput_file(study: Study, model: Model) -> Path:
    """Return the file with a model's pictures a second."""
    return study.out / "evaluations" / model.name / "throughput.json"


def measure_throughput(folder: str, batch: int = BATCH) -> dict[int, float]:
    """Return pictures a second, of which a batch is generated, by the number of steps of DDIM.

    A second is one of CPU time divided by the threads of torch, so that other processes, and stops
    of this one, do not count.
    """
    pipeline = latelier.load(folder, device="cpu", dtype="bfloat16")
    speeds = {}
    for steps in (1, *SAMPLING_STEPS):  # the first is not counted: it does what is done once
        begin = time.process_time()
        pipeline.generate(
            class_label=[0] * batch,
            seed=TEST_SEED,
            steps=steps,
            sampler="ddim",
            guidance=1.0,
            batch_size=batch,
        )
        seconds = (time.process_time() - begin) / torch.get_num_threads()
        speeds[steps] = batch / seconds
    return {steps: speeds[steps] for steps in SAMPLING_STEPS}
