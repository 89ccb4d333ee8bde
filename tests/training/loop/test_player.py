"""Several players: each has an optimizer, and its update leaves the others as they are."""

import pytest
import torch
from torch import nn

from latelier.contracts.errors import InvalidConfigError
from latelier.kernel.atelier import Atelier
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.configs.training import Training
from latelier.training.evaluator import Evaluator
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.player import Player
from latelier.training.objective import MODEL, Objective


class Duel(Objective):
    """A model that a discriminator judges; both are one linear layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trained = nn.Linear(3, 3)
        self.discriminator = nn.Linear(3, 1)
        self.turns = []
        self.bad_steps = ()
        self.batches = []
        self.second = {"lr": 0.1}

    @property
    def players(self):
        return {MODEL: self.trained, "discriminator": self.discriminator}

    def optimizer_of(self, player):
        return None if player == MODEL else OptimizerConfig(**self.second)

    def collate(self, samples):
        return {"x": torch.stack(samples), "index": list(range(len(samples)))}

    def forward(self, batch, step, player=MODEL):
        self.turns.append((player, [p.requires_grad for p in self.parameters()]))
        self.batches[:] = [batch]
        made = self.trained(batch["x"])
        if player == MODEL:
            return {"loss": -self.discriminator(made).mean(), "size": made.square().mean()}
        loss = (self.discriminator(made.detach()) - self.discriminator(batch["x"])).mean()
        return {"loss": loss * float("nan") if step in self.bad_steps else loss}


def run_duel(out, second=None, bad_steps=(), **changes):
    rows = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    config = Training(
        out=out,
        steps=changes.pop("steps", 4),
        batch_size=8,
        accelerator="cpu",
        optimizer={"lr": 0.1},
        schedule=changes.pop("schedule", {"kind": "wsd", "warmup": 0}),
        **changes,
    )
    objective = Duel()
    objective.second, objective.bad_steps = second or objective.second, bad_steps
    result = run_training(TrainingPlan(config, Evaluator(objective), rows), "auto", Atelier())
    return objective, result, load_checkpoint(list_checkpoints(out / "checkpoints")[-1])


def test_players_take_turns_and_only_one_has_gradients(tmp_path):
    objective, _, checkpoint = run_duel(tmp_path)
    assert [name for name, _ in objective.turns] == [MODEL, "discriminator"] * 4
    assert objective.turns[0][1] == [True, True, False, False]
    assert objective.turns[1][1] == [False, False, True, True]
    start = Duel()
    assert not torch.equal(objective.trained.weight, start.trained.weight)
    assert not torch.equal(objective.discriminator.weight, start.discriminator.weight)
    assert {name.partition("/")[2] for name in checkpoint.ema} == {"weight", "bias"}
    assert "discriminator:weight" in checkpoint.weights


def test_a_step_whose_discriminator_is_at_fault_moves_no_player(tmp_path):
    constant = {"kind": "constant", "warmup": 1}
    _, _, skipped = run_duel(tmp_path / "skipped", bad_steps=(3,), schedule=constant)
    _, _, shorter = run_duel(tmp_path / "shorter", steps=3, schedule=constant)
    for group in ("weights", "ema", "optimizer"):
        one, other = getattr(skipped, group), getattr(shorter, group)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_gradients_of_a_player_leave_those_of_the_others(tmp_path):
    objective, _, _ = run_duel(tmp_path, steps=1)
    expected, batch = Duel(), objective.batches[0]
    for player, module in expected.players.items():
        parameters = list(module.parameters())
        loss = expected(batch, 0, player)["loss"]
        for own, gradient in zip(
            objective.players[player].parameters(),
            torch.autograd.grad(loss, parameters),
            strict=True,
        ):
            assert own.grad == pytest.approx(gradient, abs=1e-6)


def test_the_loss_scale_counts_steps_and_not_players(tmp_path):
    _, _, checkpoint = run_duel(tmp_path, precision="16-mixed")
    # the first of four steps overflows
    assert checkpoint.state["loss_scale"] == {"value": 2.0**15, "good_steps": 3}


def test_micro_batches_give_the_update_of_the_whole_batch(tmp_path):
    _, _, whole = run_duel(tmp_path / "whole")
    _, _, parts = run_duel(tmp_path / "parts", accumulate=4)
    for name, tensor in whole.weights.items():
        assert parts.weights[name] == pytest.approx(tensor, abs=1e-6)


def test_a_resumed_run_restores_every_player(tmp_path):
    _, _, straight = run_duel(tmp_path / "straight")
    run_duel(tmp_path / "resumed", checkpoint_seconds=1e-9)
    last = list_checkpoints(tmp_path / "resumed" / "checkpoints")[-1]
    for path in last.iterdir():
        path.unlink()
    last.rmdir()
    _, _, resumed = run_duel(tmp_path / "resumed", checkpoint_seconds=1e-9)
    for group in ("weights", "ema", "optimizer"):
        one, other = getattr(straight, group), getattr(resumed, group)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_each_player_has_its_own_optimizer(tmp_path):
    start = Duel()
    fast, _, _ = run_duel(tmp_path / "fast", second={"lr": 0.1, "weight_decay": 0})
    slow, _, _ = run_duel(tmp_path / "slow", second={"lr": 0.001, "weight_decay": 0})
    moved = [
        (each.discriminator.weight - start.discriminator.weight).abs().max().item()
        for each in (fast, slow)
    ]
    assert moved[0] == pytest.approx(100 * moved[1], rel=0.2)
    assert (slow.trained.weight - start.trained.weight).abs().max().item() > 0.05


@pytest.mark.parametrize("name", ["adamm", "torch.optim.Nope", "os.system", "torch.optim.LBFGS"])
def test_an_optimizer_that_cannot_be_made_is_an_error_before_anything_is_written(tmp_path, name):
    with pytest.raises(InvalidConfigError, match=name):
        run_duel(tmp_path / "run", second={"name": name})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("limit", [0.5, 5.0, 5.0 + 5e-7, 5.1, 1e9])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_gradients_are_clipped_as_torch_clips_them(limit, scale):
    player = Player(MODEL, nn.Linear(2, 1, bias=False), OptimizerConfig(clip=limit))
    expected = nn.Parameter(torch.zeros(1, 2))
    expected.grad = torch.tensor([[3.0, 4.0]])
    player.module.weight.grad = expected.grad * scale
    assert player.clip_gradients(scale) == nn.utils.clip_grad_norm_(expected, limit)
    assert torch.equal(player.module.weight.grad, expected.grad)


def test_gradients_that_are_not_finite_have_no_finite_norm():
    player = Player(MODEL, nn.Linear(2, 1, bias=False), OptimizerConfig())
    player.module.weight.grad = torch.tensor([[1.0, torch.nan]])
    assert not player.clip_gradients(1.0).isfinite()
