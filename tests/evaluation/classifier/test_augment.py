import pytest
import torch

from latelier.evaluation.classifier.augment import blurred, softened


def test_softening_keeps_shape_and_range_and_follows_from_its_generator() -> None:
    images = torch.rand(16, 3, 32, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first = softened(images, torch.Generator().manual_seed(1))
    assert first.shape == images.shape
    assert first.abs().max() <= 1
    assert torch.equal(first, softened(images, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, softened(images, torch.Generator().manual_seed(2)))


def test_softening_stays_mild() -> None:
    ramp = torch.linspace(-0.8, 0.8, 64).expand(32, 3, 64, 64)
    for seed in range(8):
        change = (softened(ramp, torch.Generator().manual_seed(seed)) - ramp).abs()
        assert change.mean((1, 2, 3)).max() < 0.2


def test_blur_spreads_a_point_as_a_gaussian() -> None:
    image = torch.zeros(1, 1, 15, 15)
    image[..., 7, 7] = 1
    soft = blurred(image, sigma=1.0)[0, 0]
    assert soft.sum() == pytest.approx(1, abs=1e-5)
    assert soft[7, 8] / soft[7, 7] == pytest.approx(0.60653, abs=1e-4)
    assert soft[8, 8] / soft[7, 7] == pytest.approx(0.36788, abs=1e-4)
    assert torch.allclose(soft, soft.T)


def test_blur_leaves_a_plain_picture_plain() -> None:
    torch.testing.assert_close(
        blurred(torch.full((1, 3, 9, 12), 0.3), 1.2), torch.full((1, 3, 9, 12), 0.3)
    )
