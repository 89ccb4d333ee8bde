"""Plugins observe the steps and checkpoints of a training, and cannot change it."""

import pytest
import torch

from latelier import hookimpl
from latelier.contracts.errors import PluginError
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.train import train_first_stage

TINY = {
    "steps": 2,
    "batch_size": 2,
    "accelerator": "cpu",
    "checkpoint_seconds": 1e-9,
    "sheet_every": 100,
    "log_every": 2,
    "measured_images": 4,
    "data": {"config": {"size": 16}},
    "first_stage": {
        "id": "autoencoder_kl",
        "config": {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4},
    },
}


def training(out, **changes):
    return FirstStageTraining.model_validate({**TINY, "out": out, **changes})


def atelier(plugin=None, strict=False):
    made = Atelier(policy=Policy(allow=frozenset()), strict=strict)
    if plugin is not None:
        made.register(plugin, "witness")
    return made


class Witness:
    def __init__(self):
        self.batches, self.saved, self.runs = [], [], set()

    @hookimpl
    def latelier_batch_trained(self, run, step, steps, losses):
        self.batches.append((step, steps, losses()))
        self.runs.add(run)
        losses().clear()
        torch.manual_seed(step)

    @hookimpl
    def latelier_checkpoint_saved(self, run, step, steps, path):
        self.saved.append((step, steps, path, load_checkpoint(path).step))
        self.runs.add(run)


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory):
    witness, config = Witness(), training(tmp_path_factory.mktemp("witnessed"))
    with torch.random.fork_rng():
        assert train_first_stage(config, atelier=atelier(witness)).finished
    return witness, config


def test_each_step_is_observed_with_its_losses(witnessed):
    witness, _ = witnessed
    assert [(step, steps) for step, steps, _ in witness.batches] == [(k, 2) for k in (1, 2)]
    for _, _, losses in witness.batches:
        assert {"loss", "kl"} < losses.keys()
        assert all(isinstance(value, float) for value in losses.values())
    assert len({losses["loss"] for _, _, losses in witness.batches}) == 2
    assert len(witness.runs) == 1


def test_each_checkpoint_is_observed_when_complete(witnessed):
    witness, config = witnessed
    folder = config.out / "checkpoints"
    assert witness.saved == [(k, 2, folder / f"step-{k:08d}", k) for k in (1, 2)]


class Failing(Witness):
    @hookimpl
    def latelier_batch_trained(self, step):
        self.batches.append(step)
        raise OSError("the dashboard is down")


def test_a_failing_plugin_is_disabled_and_the_weights_are_the_same(witnessed, tmp_path, caplog):
    _, config = witnessed
    failing, alone = Failing(), training(tmp_path)
    assert train_first_stage(alone, atelier=atelier(failing)).finished
    assert (failing.batches, failing.saved) == ([1], [])
    message = "latelier_batch_trained of plugin 'witness:Failing' raised OSError: the dashboard is"
    assert caplog.text.count(message) == 1
    one, other = (
        load_checkpoint(list_checkpoints(each.out / "checkpoints")[-1]) for each in (config, alone)
    )
    assert [name for name in one.ema if not torch.equal(one.ema[name], other.ema[name])] == []
    assert [n for n in one.weights if not torch.equal(one.weights[n], other.weights[n])] == []


def test_a_strict_atelier_raises(tmp_path):
    with pytest.raises(PluginError, match="the dashboard is down"):
        train_first_stage(training(tmp_path), atelier=atelier(Failing(), strict=True))
