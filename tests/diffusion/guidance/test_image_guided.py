import json

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import cfg
from latelier.diffusion.guidance.image_guided import image_guided
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.rectified_flow import RectifiedFlow

GRID = SigmaGrid((1.0, 0.5, 0.0), "flow")


class Network:
    config = DenoiserConfig()

    def __call__(self, x, t, condition, control=None):
        return torch.tanh(x)


class Doubling:
    """A first stage of factor 2 that repeats pixels."""

    def decode(self, latents):
        return latents.repeat_interleave(2, -1).repeat_interleave(2, -2) * 0.8


@pytest.fixture
def picture():
    levels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.fixture
def x():
    return torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def predict():
    return Predictor(Network(), RectifiedFlow(), first_stage=Doubling())


def options(picture, **more):
    return read_options(image_guided, {"target": picture, **more}, "guidance 'image_guided'")


def distance(x0, picture):
    """Of the decoded x0, reduced by Pillow, to the picture."""
    images = Doubling().decode(x0).permute(0, 2, 3, 1).numpy()
    y = np.asarray(picture) / 127.5 - 1
    small = [
        np.stack(
            [
                np.asarray(Image.fromarray(image[..., c]).resize((6, 4), Image.Resampling.BICUBIC))
                for c in range(3)
            ],
            -1,
        )
        for image in images
    ]
    return np.stack([((each - y) ** 2).sum() / 2 for each in small])


def test_x0_moves_down_the_gradient_of_half_the_squared_distance(predict, picture, x):
    """Against finite differences of a distance that Pillow measures."""
    sigma, strength = 0.4, 0.5
    plain = cfg(predict, Condition(), Condition(), GRID, scale=1.0)
    denoise = image_guided(
        predict, Condition(), Condition(), GRID, **options(picture, strength=strength)
    )
    moved = denoise(x, sigma)
    gradient = (plain(x, sigma) - moved) * (1 - sigma) / (strength * sigma**2)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    h = 1e-2
    ends = (distance(plain(x + s * h * direction, sigma), picture) for s in (1, -1))
    slope = np.subtract(*ends) / (2 * h)
    along = (gradient * direction).sum((1, 2, 3))
    torch.testing.assert_close(along.double(), torch.from_numpy(slope), rtol=5e-3, atol=5e-3)


def test_guidance_reduces_the_distance_to_the_target(predict, picture, x):
    plain = cfg(predict, Condition(), Condition(), GRID, scale=1.0)(x, 0.4)
    strong = options(picture, strength=4.0)
    moved = image_guided(predict, Condition(), Condition(), GRID, **strong)(x, 0.4)
    assert (distance(moved, picture) < 0.9 * distance(plain, picture)).all()


def test_the_target_is_recorded_in_full(picture, tmp_path):
    picture.save(tmp_path / "small.png")
    read = options(str(tmp_path / "small.png"))
    again = options(json.loads(json.dumps(read))["target"])
    assert read == again == options(picture)


def test_invalid_targets_and_windows_are_refused(predict, picture, x):
    with pytest.raises(InvalidInputError, match="target is 6x4, larger than the pictures, 8x2"):
        image_guided(predict, Condition(), Condition(), GRID, **options(picture))(
            x[:, :, :1, :4], 0.4
        )
    alone = Predictor(Network(), RectifiedFlow())
    with pytest.raises(CompatibilityError, match="run it without windows"):
        image_guided(alone, Condition(), Condition(), GRID, **options(picture))(x, 0.4)
    with pytest.raises(InvalidInputError, match="no image can be read"):
        options("nowhere.png")
