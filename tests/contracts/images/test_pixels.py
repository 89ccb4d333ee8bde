"""Levels 0..255 and pixels in [-1, 1] are the same picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.images.pixels import denormalize, normalize, pil_to_tensor, tensor_to_pil

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_the_ends_of_the_range_are_exact():
    assert normalize(torch.tensor([0, 255])).tolist() == [-1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_level_survives_a_round_trip(dtype):
    assert torch.equal(denormalize(normalize(LEVELS).to(dtype)), LEVELS.float())


def test_values_outside_are_clipped_and_values_between_rounded():
    between = [-1.5, 1.5, 0.4 / 127.5 - 1, 0.6 / 127.5 - 1]
    assert denormalize(torch.tensor(between)).tolist() == [0, 255, 0, 1]


def test_pictures_and_tensors_convert_both_ways():
    levels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    tensor = pil_to_tensor(Image.fromarray(levels))
    assert (tensor.dtype, tensor.shape) == (torch.float32, (3, 2, 4))
    assert tensor.is_contiguous()
    assert tensor[1, 0, 3] == normalize(torch.tensor(levels[0, 3, 1]))
    for picture in tensor_to_pil(torch.stack([tensor, tensor])):
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture), levels)
