import math

import pytest
import torch

from latelier.training.first_stage.losses.adversarial import (
    adaptive_weight,
    autoencoder_loss,
    hinge_loss,
    vanilla_loss,
)


def test_hinge_loss_is_the_mean_of_both_margins():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.0])
    assert hinge_loss(real, fake).item() == pytest.approx((0.25 + 0.5) / 2)


def test_vanilla_loss_is_the_cross_entropy():
    real, fake = torch.tensor([math.log(3.0)]), torch.tensor([0.0])
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert vanilla_loss(real, fake).item() == pytest.approx(expected)


def test_the_autoencoder_raises_the_logits():
    assert autoencoder_loss(torch.tensor([1.0, -3.0])).item() == 1.0


def test_adaptive_weight_is_the_ratio_of_gradients():
    layer = torch.ones(2, requires_grad=True)
    reconstruction = (torch.tensor([3.0, 4.0]) * layer).sum()
    adversarial = (torch.tensor([0.0, 2.0]) * layer).sum()
    weight = adaptive_weight(reconstruction, adversarial, layer)
    assert weight.item() == pytest.approx(5 / (2 + 1e-4))
    assert not weight.requires_grad
    assert layer.grad is None


def test_adaptive_weight_is_at_most_ten_thousand():
    layer = torch.ones(2, requires_grad=True)
    weight = adaptive_weight(5 * layer.sum(), 0 * layer.sum(), layer)
    assert weight.item() == 1e4
