import pytest
import torch

from latelier.training.prediction.losses import SampleLosses, denoising_loss


def test_the_loss_is_the_mean_square_of_each_sample():
    prediction = torch.tensor([[[[1.0, 3.0]]], [[[0.0, 2.0]]]])
    target = torch.tensor([[[[0.0, 1.0]]], [[[0.0, 0.0]]]])
    assert denoising_loss(prediction, target).tolist() == [2.5, 2.0]
    assert denoising_loss(prediction, target, torch.tensor([2.0, 0.5])).tolist() == [5.0, 1.0]


def test_pixel_weights_are_averaged_over_each_latent():
    prediction, target = torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 1, 1, 2)
    weight = torch.tensor([[[[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]]]])  # 2 x 2 pixels a latent
    assert denoising_loss(prediction, target, weight).item() == (0.5 * 1 + 0.25 * 9) / 2


def test_a_summary_has_the_mean_of_each_bin():
    losses = torch.tensor([1.0, 3.0, 5.0])
    terms = SampleLosses(losses, losses, torch.tensor([0.05, 0.19, 0.8])).summarize()
    assert terms["loss"] == 3
    assert (terms["loss_0-0.2"], terms["loss_0.8-1"]) == (2, 5)
    assert all(terms[f"loss_{name}"].isnan() for name in ("0.2-0.4", "0.4-0.6", "0.6-0.8"))
    assert "weighted_error" not in terms


def test_a_balanced_loss_is_reported_with_the_error_below_it():
    balanced, weighted = torch.tensor([0.5]), torch.tensor([4.0])
    terms = SampleLosses(balanced, weighted, torch.tensor([0.5])).summarize()
    assert terms["loss"] == 0.5
    assert terms["weighted_error"] == terms["loss_0.4-0.6"] == pytest.approx(4)
