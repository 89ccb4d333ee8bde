import pytest
import torch
from torch import nn

from latelier.training.first_stage.quality import measure_quality


class Distance(nn.Module):
    def forward(self, images, references):
        return (images - references).square().sum((1, 2, 3))


def test_each_image_has_its_measures_and_values_beyond_the_range_are_clipped():
    images = torch.stack([torch.full((3, 16, 16), 1.0), torch.full((3, 16, 16), 0.0)])
    reconstructions = images + torch.tensor([0.5, 0.2]).view(2, 1, 1, 1)
    found = measure_quality(reconstructions, images, Distance())
    assert list(found) == ["perceptual", "absolute", "psnr", "ssim"]
    assert found["absolute"].tolist() == pytest.approx([0, 0.2], abs=1e-6)
    assert found["perceptual"].tolist() == pytest.approx([0, 0.04 * 768], rel=1e-4)
    assert found["psnr"][0] == float("inf")
    assert found["psnr"][1].item() == pytest.approx(20, abs=0.2)  # 10 log10(2^2 / 0.2^2)
    assert found["ssim"][0].item() == pytest.approx(1)


def test_tiny_images_have_no_ssim():
    images = torch.zeros(1, 3, 8, 8)
    assert set(measure_quality(images, images, None)) == {"absolute", "psnr"}
