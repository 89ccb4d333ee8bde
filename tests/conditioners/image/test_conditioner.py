from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import pixel_shuffle

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier_conditioners.image.conditioner import ImageConditioner
from latelier_conditioners.image.inputs import ImageConfig, LowResolution

GEOMETRY = PictureGeometry((16, 24), (4, 6))
SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))


def new_images(**config: Any) -> ImageConditioner:
    return ImageConditioner(ImageConfig.model_validate(config))


def part(conditioner: ImageConditioner, geometry: PictureGeometry = GEOMETRY) -> torch.Tensor:
    spatial = conditioner.encode([SMALL], geometry).spatial
    assert spatial is not None
    return spatial


def test_images_become_tensors() -> None:
    pixels = pil_to_tensor(SMALL)
    assert pixels.shape == (3, 4, 6)
    assert pixels[1, 3, 5] == SMALL.getpixel((5, 3))[1] / 127.5 - 1  # type: ignore[index]


def test_the_published_model_receives_unscaled_pixels() -> None:
    assert torch.equal(part(new_images())[0], pil_to_tensor(SMALL))
    assert new_images().config.outputs().spatial == 3


@pytest.mark.parametrize("latent", [(8, 12), (2, 3)])
def test_other_sizes_are_resized_like_pillow(latent: tuple[int, int]) -> None:
    soft = SMALL.point([64 + level // 2 for level in range(256)] * 3)  # nothing is clipped
    batch = new_images().prepare([LowResolution(image=soft)], PictureGeometry((16, 24), latent))
    given = batch["image"]
    expected = soft.resize(latent[::-1], Image.Resampling.BICUBIC)
    assert part(new_images(), PictureGeometry((16, 24), latent)).abs().max() <= 1
    assert (given[0] - pil_to_tensor(expected)).abs().max() < 1.01 * 2 / 255


def test_a_patch_of_pixels_becomes_channels() -> None:
    conditioner = new_images(patch=2)
    given = part(conditioner, PictureGeometry((16, 24), (2, 3)))
    assert given.shape == (1, 12, 2, 3)
    assert conditioner.config.outputs().spatial == 12
    assert torch.equal(pixel_shuffle(given, 2)[0], pil_to_tensor(SMALL))
    null = conditioner.null(2, PictureGeometry((16, 24), (2, 3))).spatial
    assert null is not None
    assert torch.equal(null, torch.zeros(2, 12, 2, 3))


def test_an_image_is_resized_to_the_patches() -> None:
    given = part(new_images(patch=2), PictureGeometry((16, 24), (4, 6)))
    resized = part(new_images(), PictureGeometry((16, 24), (8, 12)))
    assert torch.equal(pixel_shuffle(given, 2), resized)


def test_the_output_size_is_the_image_size_times_the_factor() -> None:
    assert new_images().output_size(LowResolution(image=SMALL)) == (24, 16)
    assert new_images(factor=2).output_size(LowResolution(image=SMALL)) == (12, 8)


def test_another_size_is_refused() -> None:
    message = "enlarges 4 times, an image of 6x4 to 24x16, not 48x32; leave the size out"
    with pytest.raises(InvalidInputError, match=message):
        new_images().encode([SMALL], PictureGeometry((32, 48), (8, 12)))


def test_the_null_part_is_grey() -> None:
    null = new_images().null(2, GEOMETRY).spatial
    assert null is not None
    assert torch.equal(null, torch.zeros(2, 3, 4, 6))


@pytest.mark.parametrize("degradation", ["bsr_light", "bicubic"])
def test_training_degrades_the_picture(degradation: str) -> None:
    conditioner = new_images(degradation=degradation)
    whole = LowResolution(image=EmojiScenes()[0]["image"])
    small = conditioner.augment(whole, np.random.default_rng(1))
    assert small.image.size == (16, 16)
    assert small == conditioner.augment(whole, np.random.default_rng(1))
    other = conditioner.augment(whole, np.random.default_rng(2))
    assert (small == other) == (degradation == "bicubic")
    batch = conditioner.prepare([small], PictureGeometry((64, 64), (16, 16)))
    assert batch["image"].shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere.png", "no image can be read"),
        ({}, "'image' is required"),
        (3, "an image is a PIL"),
    ],
)
def test_invalid_images_are_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        new_images().encode([value], GEOMETRY)


@pytest.mark.parametrize("config", [{"factor": 0}, {"degradation": "nearest"}])
def test_invalid_configurations_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(config))):
        new_images(**config)


def test_an_exact_reduction_knows_the_enlarged_pixels() -> None:
    conditioner = new_images(degradation="bicubic", patch=2)
    geometry = PictureGeometry((16, 24), (2, 3))
    known = conditioner.known_pixels(
        conditioner.prepare([LowResolution(image=SMALL)], geometry), geometry
    )
    assert known.shape == (1, 4, 16, 24)
    assert (known[:, 3] == 1).all()
    enlarged = torch.nn.functional.interpolate(pil_to_tensor(SMALL)[None], (16, 24), mode="bicubic")
    torch.testing.assert_close(2 * known[:, :3] - 1, enlarged.clamp(-1, 1))


def test_a_degraded_image_knows_no_pixels() -> None:
    assert not new_images().config.knows_pixels
    assert new_images(degradation="bicubic").config.knows_pixels
