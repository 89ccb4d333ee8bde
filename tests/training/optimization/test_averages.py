import weakref

import pytest
import torch
from torch import nn

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.training.configs.optimization import EmaConfig
from latelier.training.optimization import averages as averages_module
from latelier.training.optimization.averages import (
    WeightAverages,
    average_snapshots,
    save_snapshot,
)
from latelier.training.optimization.ema import Ema

CONFIG = EmaConfig(lengths=(0.05, 0.10), snapshots=20)


def walk(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def test_averages_are_restored_from_tensors():
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    averages, twin = (WeightAverages(module, CONFIG) for _ in range(2))
    for _ in range(5):
        walk(module)
        averages.update()
    tensors = {name: tensor.clone() for name, tensor in averages.tensors().items()}
    twin.load(tensors, averages.main.updates)
    walk(module)
    for each in (averages, twin):
        each.update()
    for name, tensor in averages.tensors().items():
        assert torch.equal(tensor, twin.tensors()[name])
    assert not torch.equal(tensors["0.05/weight"], tensors["0.1/weight"])


@pytest.mark.parametrize(("steps", "count"), [(100, 20), (103, 20), (5, 20), (7, 0), (7, 1)])
def test_snapshots_spread_over_the_run_and_include_its_end(steps, count):
    averages = WeightAverages(nn.Linear(1, 1), EmaConfig(snapshots=count))
    due = [step for step in range(1, steps + 1) if averages.is_snapshot_due(step, steps)]
    assert len(due) == min(count, steps)
    if count:
        assert due[-1] == steps


def test_an_average_of_another_length_is_made_from_files(tmp_path):
    torch.manual_seed(0)
    module, steps = nn.Linear(4, 1, bias=False), 1000
    averages, wanted = WeightAverages(module, CONFIG), Ema(module, 0.07)
    for step in range(1, steps + 1):
        walk(module)
        averages.update()
        wanted.update()
        if averages.is_snapshot_due(step, steps):
            save_snapshot(tmp_path, step, averages.tensors())
    made = average_snapshots(tmp_path, 0.07)["weight"]
    assert made.dtype == torch.float32
    assert torch.allclose(made, wanted.weights["weight"], atol=0.02)
    assert not torch.allclose(averages.main.weights["weight"], wanted.weights["weight"], atol=0.1)


def test_averages_are_not_in_memory_together(tmp_path, monkeypatch):
    averages, former = WeightAverages(nn.Linear(4, 1), CONFIG), []

    def check_each(read):
        for average in read:
            assert all(tensor() is None for tensor in former[:-1])
            former.append(weakref.ref(average["weight"]))
            yield average
            del average

    for step in (1, 2):
        averages.update()
        save_snapshot(tmp_path, step, averages.tensors())
    combine = averages_module.combine
    monkeypatch.setattr(averages_module, "combine", lambda read, c: combine(check_each(read), c))
    average_snapshots(tmp_path, 0.07)
    assert len(former) == 4


def test_an_average_ends_at_the_step_of_a_snapshot(tmp_path):
    torch.manual_seed(0)
    module = nn.Linear(4, 1)
    averages, stored = WeightAverages(module, CONFIG), {}
    for step in (1, 2, 3):
        walk(module)
        averages.update()
        stored[step] = averages.main.weights["weight"].clone()
        save_snapshot(tmp_path, step, averages.tensors())
    length = CONFIG.lengths[0]
    made = {step: average_snapshots(tmp_path, length, step)["weight"] for step in stored}
    assert all(torch.allclose(made[step], stored[step], atol=1e-2) for step in stored)
    assert not torch.allclose(made[2], made[3], atol=1e-2)
    with pytest.raises(InvalidConfigError, match="no snapshot at 4; it has 1, 2, 3"):
        average_snapshots(tmp_path, length, 4)


def test_a_folder_without_snapshots_is_refused(tmp_path):
    with pytest.raises(InvalidConfigError, match="no snapshots"):
        average_snapshots(tmp_path, 0.1)


def test_a_damaged_snapshot_is_named(tmp_path):
    (tmp_path / "step-00000001.safetensors").write_bytes(b"half")
    with pytest.raises(ModelFileError, match="step-00000001"):
        average_snapshots(tmp_path, 0.1)
