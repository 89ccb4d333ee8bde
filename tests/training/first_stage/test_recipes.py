from pathlib import Path

import pytest
import torch

from latelier import default_atelier
from latelier.training.configs.first_stage import FirstStageTraining, first_step
from latelier.training.configs.training import read_training
from latelier.training.first_stage.train import plan_first_stage

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["first-stage-kl", "first-stage-vq"])
def test_a_recipe_runs_from_the_root_of_the_repository(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = read_training(f"configs/recipes/{name}.yaml", FirstStageTraining)
    plan = plan_first_stage(config, default_atelier())
    batch = plan.objective.collate([plan.dataset[k] for k in range(2)])
    assert config.adversarial is not None
    start = first_step(config.adversarial.start, config.steps)
    for step in (0, start, config.steps - 1):
        for player in plan.objective.players:
            loss = plan.objective(batch, step, player)["loss"]
            assert torch.isfinite(loss)
            loss.backward()
