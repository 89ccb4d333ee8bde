import pytest
import torch
from torch import nn

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.optimization.muon import Muon
from latelier.training.optimization.optimizer import (
    get_optimizer_state,
    load_optimizer_state,
    make_optimizer,
    set_rate,
)

NAMES = ["adamw", "muon", "torch.optim.NAdam"]


class Small(nn.Module):
    """One weight of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(5, 3)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        images = self.words(rows)[:, :, None, None].expand(-1, -1, 4, 4)
        return self.head(self.conv(images).mean((2, 3)))


def a_step(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    module(torch.arange(5)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_restored_from_tensors(name):
    torch.manual_seed(0)
    config = OptimizerConfig(name=name, lr=0.1)
    module, twin = Small(), Small()
    optimizer, other = make_optimizer(module, config), make_optimizer(twin, config)
    a_step(module, optimizer)
    twin.load_state_dict(module.state_dict())
    tensors = get_optimizer_state(optimizer, module)
    assert {key.rsplit("/", 1)[0] for key in tensors} == dict(module.named_parameters()).keys()
    load_optimizer_state(other, twin, {key: t.clone() for key, t in tensors.items()})
    a_step(module, optimizer)
    a_step(twin, other)
    for key, weight in module.state_dict().items():
        assert torch.equal(weight, twin.state_dict()[key])


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_lowers_the_loss(name):
    torch.manual_seed(0)
    module = Small()
    optimizer = make_optimizer(module, OptimizerConfig(name=name, lr=0.02))
    before = module(torch.arange(5)).square().sum()
    for _ in range(20):
        a_step(module, optimizer)
    assert module(torch.arange(5)).square().sum() < 0.5 * before


def test_muon_takes_matrices_and_kernels_but_no_embeddings():
    module = Small()
    optimizer = make_optimizer(module, OptimizerConfig(name="muon"))
    groups = {group["orthogonal"]: group["params"] for group in optimizer.param_groups}
    shapes = [tuple(each.shape) for each in groups[True]]
    assert shapes == [(4, 3, 3, 3), (2, 4)]
    assert len(groups[False]) == 3


def test_frozen_parameters_are_left_out():
    module = Small()
    module.words.requires_grad_(False)
    optimizer = make_optimizer(module, OptimizerConfig())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


def test_set_rate_reaches_all_groups():
    optimizer = make_optimizer(Small(), OptimizerConfig(name="muon"))
    set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "adam_w"}, "expected adamw, muon or a dotted path"),
        ({"name": "torch.optim.Missing"}, "cannot be imported"),
        ({"name": "torch.nn.Linear"}, "is no optimizer"),
        ({"name": "nowhere.Adam"}, "cannot be imported"),
        ({"options": {"speed": 3}}, "speed"),
        ({"name": "muon", "options": {"speed": 3}}, "speed"),
        ({"options": {"eps": -1}}, "epsilon"),
    ],
)
def test_an_impossible_optimizer_is_refused_by_name(config, message):
    with pytest.raises(InvalidConfigError, match=message):
        make_optimizer(Small(), OptimizerConfig(**config))


def test_the_state_of_another_optimizer_is_refused():
    module = Small()
    optimizer = make_optimizer(module, OptimizerConfig())
    with pytest.raises(InvalidConfigError, match="no parameter 'tail'"):
        load_optimizer_state(optimizer, module, {"tail/exp_avg": torch.zeros(1)})


def test_muon_moves_a_matrix_as_torch_does():
    torch.manual_seed(0)
    ours, theirs = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.zeros(6, 4))
    theirs.data.copy_(ours)
    mine = Muon([ours], [], lr=0.1, weight_decay=0.2)
    reference = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        gradient = torch.randn(6, 4)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()
    assert torch.allclose(ours, theirs, atol=0.02)  # both iterate in bfloat16
