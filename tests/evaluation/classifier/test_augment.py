import pytest
import torch

from latelier.evaluation.classifier.augment import augment, blur


def test_augment_keeps_shape_and_range_and_depends_on_its_generator_only() -> None:
    images = torch.rand(16, 3, 32, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first = augment(images, torch.Generator().manual_seed(1))
    assert first.shape == images.shape
    assert first.abs().max() <= 1
    assert torch.equal(first, augment(images, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, augment(images, torch.Generator().manual_seed(2)))


def test_augment_changes_pictures_slightly() -> None:
    ramp = torch.linspace(-0.8, 0.8, 64).expand(32, 3, 64, 64)
    for seed in range(8):
        change = (augment(ramp, torch.Generator().manual_seed(seed)) - ramp).abs()
        assert change.mean((1, 2, 3)).max() < 0.2


def test_blur_spreads_a_point_as_a_gaussian() -> None:
    image = torch.zeros(1, 1, 15, 15)
    image[..., 7, 7] = 1
    soft = blur(image, sigma=1.0)[0, 0]
    assert soft.sum() == pytest.approx(1, abs=1e-5)
    assert soft[7, 8] / soft[7, 7] == pytest.approx(0.60653, abs=1e-4)
    assert soft[8, 8] / soft[7, 7] == pytest.approx(0.36788, abs=1e-4)
    assert torch.allclose(soft, soft.T)


def test_blur_keeps_a_constant_picture() -> None:
    torch.testing.assert_close(
        blur(torch.full((1, 3, 9, 12), 0.3), 1.2), torch.full((1, 3, 9, 12), 0.3)
    )
