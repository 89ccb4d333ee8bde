"""Trainings of a LoRA, in this process or, as a script, in those of torchrun."""

import json
import sys

from latelier.training.configs.lora import LoraTraining
from latelier.training.lora.train import train_lora


def train(**changes):
    values = {
        "targets": ["denoiser.*to_*", "conditioners.text.*"],
        "rank": 2,
        "steps": 4,
        "batch_size": 4,
        "accelerator": "cpu",
        "data": {"config": {"size": 16}},
        "validation": {"samples": 2},
        "optimizer": {"lr": 0.01, "options": {"eps": 0.001}},
        "schedule": {"kind": "constant", "warmup": 0},
    }
    return train_lora(LoraTraining.model_validate({**values, **changes}))


if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        train(**arguments)
