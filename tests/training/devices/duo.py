"""Trainings of a small transformer, in this process or, as a script, in those of torchrun."""

import json
import os
import signal
import sys

import torch
from torch import nn

from latelier.contracts.errors import TrainingError
from latelier.kernel.atelier import Atelier
from latelier.nn.layers import EncoderLayer
from latelier.training.configs.training import Training
from latelier.training.evaluator import Evaluator
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.objective import MODEL, Objective


class Regression(Objective):
    """Predicts the next row of numbers; one layer is never used."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layers = nn.ModuleList([EncoderLayer(8, 2) for _ in range(2)])
            self.trained = nn.ModuleDict(
                {"layers": layers, "head": nn.Linear(8, 8), "unused": nn.Linear(5, 5)}
            )

    def collate(self, samples):
        return {
            "rows": torch.stack([row for _, row in samples]),
            "index": [position for position, _ in samples],
        }

    def forward(self, batch, step, player=MODEL):
        rows = tokens = batch["rows"]
        mask = torch.ones(len(rows), 1, 1, rows.shape[1], dtype=torch.bool)
        for layer in self.trained["layers"]:
            tokens = layer(tokens, mask)
        error = (self.trained["head"](tokens)[:, :-1] - rows[:, 1:]).square()
        absent = torch.full((), torch.nan)
        return {"loss": error.mean(), "largest": error.amax(), "absent": absent}


class NormEvaluator(Evaluator):
    """Measures and exports a norm."""

    def validate(self):
        return {"norm": float(self.objective.trained["head"].weight.norm())}

    def export(self, folder):
        if folder.parent.name == "full":
            raise OSError("No space left on device")
        folder.mkdir(exist_ok=True)
        (folder / "norm").write_text(str(self.validate()["norm"]))


class Rows:
    """Rows of random numbers; some are NaN, and one ends the training by a signal."""

    def __init__(self, nan=(), stop=None):
        self._nan, self._stop = nan, stop

    def __len__(self):
        return 10_000

    def __getitem__(self, position):
        if position == self._stop:
            os.kill(os.getpid(), signal.SIGTERM)
        rows = torch.randn(5, 8, generator=torch.Generator().manual_seed(position))
        return position, rows * torch.nan if position in self._nan else rows


def train_rows(out, nan=(), stop=None, **changes):
    values = {
        "steps": 20,
        "batch_size": 8,
        "accelerator": "cpu",
        "optimizer": {"lr": 0.01, "options": {"eps": 0.001}},
        "schedule": {"kind": "constant", "warmup": 2},
        "checkpoint_seconds": 1000,
        "log_every": 5,
        **changes,
    }
    config = Training.model_validate({**values, "out": out})
    evaluator = NormEvaluator(Regression())
    plan = TrainingPlan(config, evaluator, Rows(nan, stop), name_sample="row {}".format)
    return run_training(plan, "auto", Atelier())


if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        try:
            train_rows(**arguments)
        except (TrainingError, SystemExit) as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
