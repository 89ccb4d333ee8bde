import pytest
import torch
from torch import nn

from latelier.training.optimization.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(8, 8), (16, 4), (4, 16)])
def test_the_singular_values_of_an_update_are_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)).float())
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_the_update_does_not_depend_on_the_size_of_the_gradient():
    torch.manual_seed(0)
    gradient = torch.randn(8, 4)
    moves = []
    for scale in (1e-4, 1e4):
        weight = nn.Parameter(torch.zeros(8, 4))
        weight.grad = gradient * scale
        Muon([weight], [], lr=1.0, weight_decay=0.0).step()
        moves.append(weight.detach().clone())
    assert torch.allclose(*moves, atol=0.05)


def test_kernels_move_as_their_matrices():
    torch.manual_seed(0)
    gradient = torch.randn(6, 3, 3, 3)
    kernel, matrix = nn.Parameter(torch.zeros(6, 3, 3, 3)), nn.Parameter(torch.zeros(6, 27))
    kernel.grad, matrix.grad = gradient, gradient.flatten(1)
    for each in (kernel, matrix):
        Muon([each], [], lr=0.1).step()
    assert torch.equal(kernel.flatten(1), matrix)


def test_matrices_move_as_by_the_optimizer_of_torch():
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(6, 4)) for _ in range(2))
    options = {"lr": 0.1, "momentum": 0.95, "weight_decay": 0.1}
    mine = Muon([ours], [], **options)
    reference = torch.optim.Muon([theirs], **options, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        ours.grad = theirs.grad = torch.randn(6, 4)
        mine.step()
        reference.step()
    assert torch.allclose(ours, theirs, atol=5e-3)  # other roundings in bfloat16


def test_other_parameters_move_as_by_adamw():
    gradient = torch.randn(5)
    ours, theirs = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    mine = Muon([], [ours], lr=0.1, betas=(0.9, 0.99), weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    for _ in range(3):
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()
    assert torch.equal(ours, theirs)


def test_a_closure_is_called_with_gradients():
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = Muon([weight], [], lr=0.1)

    def loss() -> float:
        total = weight.square().sum()
        total.backward()
        return float(total.detach())

    assert optimizer.step(loss) == 4
    assert weight.grad is not None
