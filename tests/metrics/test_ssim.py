import numpy as np
import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import denormalize, normalize
from latelier.metrics.ssim import ssim


def picture_pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 13, 12, generator=generator) * 2 - 1
    return images, (images + 0.2 * torch.randn(2, 3, 13, 12, generator=generator)).clamp(-1, 1)


def reference_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the SSIM of two planes (H, W) pixel by pixel, as the paper writes it."""
    line = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    weights = np.outer(line, line) / np.outer(line, line).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (p[top : top + 11, left : left + 11] for p in (x, y))
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + c1)
                * (2 * covariance + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return float(np.mean(values))


def test_values_match_the_paper_s_formula():
    images, references = picture_pair()
    expected = [
        np.mean([reference_ssim(x, y) for x, y in zip(a, b, strict=True)])
        for a, b in zip(*(denormalize(x).double().numpy() for x in (images, references)))
    ]
    assert ssim(images, references).tolist() == pytest.approx(expected, rel=1e-6)


def test_equal_pictures_have_one():
    images, _ = picture_pair()
    assert ssim(images, images).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("shape", [(2, 3, 13, 10), (3, 13, 12), (1, 3, 13, 12)])
def test_other_shapes_are_an_error(shape):
    images, _ = picture_pair()
    with pytest.raises(InvalidInputError, match="11"):
        ssim(images[..., : shape[-1]] if shape[-1] < 11 else images, torch.zeros(shape))


@pytest.mark.parametrize("noise", [3, 60])
def test_it_agrees_with_scikit_image(run_peer, noise):
    images, references = draw_levels(noise)
    expected = run_peer("similarity:ssim", images=images, references=references)
    measured = ssim(normalize(images), normalize(references))
    torch.testing.assert_close(measured.double(), expected, rtol=1e-5, atol=0)


def draw_levels(noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth pictures of 8 bits, and with noise."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(3, 3, 5, 6, generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, size=(40, 48), mode="bicubic")
    noisy = smooth + noise * torch.randn(smooth.shape, generator=generator)
    return smooth.clamp(0, 255).to(torch.uint8), noisy.clamp(0, 255).to(torch.uint8)
