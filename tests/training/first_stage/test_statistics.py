import pytest
import torch

from latelier.training.first_stage.statistics import ChannelMoments, ChannelStatistics


def statistics_of(*batches: torch.Tensor) -> ChannelStatistics:
    moments = ChannelMoments(batches[0].shape[1])
    for batch in batches:
        moments.add(batch)
    return moments.finish()


def test_moments_are_those_of_all_batches_together():
    pixels = torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 + 1
    found = statistics_of(pixels[:4], pixels[4:])
    rows = pixels.double().movedim(1, 0).flatten(1)
    torch.testing.assert_close(found.mean, rows.mean(1))
    torch.testing.assert_close(found.covariance, torch.cov(rows, correction=0))
    torch.testing.assert_close(found.std, rows.std(1, correction=0))
    assert found.overall_std == pytest.approx(rows.std(correction=0).item())


def test_eigenvalues_are_sorted():
    found = ChannelStatistics(torch.zeros(2), torch.tensor([[2.0, 1.0], [1.0, 2.0]]), 0.0)
    assert found.eigenvalues.tolist() == pytest.approx([3, 1])


def test_the_share_of_high_frequencies_is_that_of_the_variance():
    columns = torch.arange(16)
    low = torch.cos(2 * torch.pi * columns / 16)  # 1 / 16 cycle a pixel
    high = 2 * torch.cos(2 * torch.pi * 6 * columns / 16)  # 6 / 16: above a quarter
    pixels = (low + high + 7).expand(1, 1, 16, 16)
    assert statistics_of(pixels).high_share == pytest.approx(4 / 5, abs=1e-4)
    assert statistics_of(pixels - high).high_share == pytest.approx(0, abs=1e-6)
