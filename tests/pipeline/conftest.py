"""A picture and a mask to start from."""

import numpy as np
import pytest
from PIL import Image


def noise_picture(size, seed=0):
    """A picture in which no two parts are alike, so that a wrong row, side or shift shows."""
    width, height = size
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.fixture
def photo():
    """24 x 16 pixels."""
    return noise_picture((24, 16))


@pytest.fixture
def other_photo():
    return noise_picture((24, 16), seed=1)


@pytest.fixture
def left_stays():
    """Black in the 9 columns at the left: at half size, 4 columns of cells and one half stay."""
    levels = np.full((16, 24), 255, np.uint8)
    levels[:, :9] = 0
    return Image.fromarray(levels)
