"""A training of one weight, whose losses a test decides."""

import pytest
import torch
from PIL import Image
from torch import nn

from latelier.kernel.atelier import Atelier
from latelier.training.configs.training import Training
from latelier.training.evaluator import Evaluator
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.objective import MODEL, Objective


class Line(Objective):
    """Fits a weight to samples that are numbers."""

    def __init__(self):
        super().__init__()
        self.trained = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.trained.weight)

    def collate(self, samples):
        return {
            "targets": torch.tensor([target for _, target in samples]),
            "index": [position for position, _ in samples],
        }

    def forward(self, batch, step, player=MODEL):
        return {"loss": (self.trained.weight.sum() - batch["targets"]).square().mean()}


class LineEvaluator(Evaluator):
    """Measures and draws a line."""

    def validate(self):
        return {"error": float((self.objective.trained.weight.sum() - 1).abs())}

    def draw_sample_sheet(self):
        weight = float(self.objective.trained.weight.sum())
        return Image.new("RGB", (1, 1)), {"weight": weight}


class Numbers:
    """Targets: 1.0, or another number at some positions."""

    def __init__(self, others):
        self._others = others

    def __len__(self):
        return 100_000

    def __getitem__(self, position):
        return position, self._others.get(position, 1.0)


@pytest.fixture
def train_line():
    """Trains a line; targets at some positions may be other numbers."""

    def train(out, others=None, **changes):
        values = {
            "steps": 8,
            "batch_size": 2,
            "accelerator": "cpu",
            "optimizer": {"lr": 0.1},
            "schedule": {"kind": "constant", "warmup": 1},
            "checkpoint_seconds": 1000,
            "log_every": 1,
            **changes,
        }
        config = Training.model_validate({**values, "out": out})
        evaluator = LineEvaluator(Line())
        plan = TrainingPlan(config, evaluator, Numbers(others or {}), name_sample="{}.png".format)
        return run_training(plan, "auto", Atelier())

    return train
