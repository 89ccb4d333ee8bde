"""Enlarged pictures are reduced to exactly what they were made from, and keep their detail."""

import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from latelier.contracts.images.pixels import pil_to_tensor
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.metrics.psnr import psnr
from latelier_conditioners.image.agreement import restore_agreement
from latelier_conditioners.image.conditioner import ImageConditioner
from latelier_conditioners.image.inputs import ImageConfig, LowResolution

LEVEL = 2 / 255


def reduce(picture: Image.Image, factor: int) -> Image.Image:
    size = picture.width // factor, picture.height // factor
    return picture.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(EmojiScenes(SceneConfig(size=64), 0, 1).scene(0).image)


@pytest.mark.parametrize("factor", [2, 4])
def test_the_reduction_is_the_small_picture(picture: Image.Image, factor: int) -> None:
    small = reduce(picture, factor)
    other = picture.transpose(Image.Transpose.ROTATE_90).resize((64, 64))
    model = ImageConditioner(ImageConfig(factor=factor, degradation="bicubic"))
    made = model.postprocess(other, LowResolution(image=small))
    error = (pil_to_tensor(reduce(made, factor)) - pil_to_tensor(small)).abs()
    assert error.quantile(0.9) < 1.5 * LEVEL


def test_detail_stays_and_coarse_errors_go(picture: Image.Image) -> None:
    original = pil_to_tensor(picture)
    small = pil_to_tensor(reduce(picture, 4))
    coarse = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) / 4
    wrong = original + interpolate(coarse, (64, 64), mode="bicubic")[0]
    bicubic = interpolate(small[None], (64, 64), mode="bicubic")[0]
    made = torch.stack([restore_agreement(wrong, small), wrong, bicubic])
    restored, before, enlarged = psnr(made, original.expand_as(made))
    assert restored > before + 10
    assert restored > enlarged + 5


def test_a_picture_that_agrees_is_left_as_it_is(picture: Image.Image) -> None:
    original = pil_to_tensor(picture)
    small = interpolate(original[None], (16, 16), mode="bicubic", antialias=True)[0]
    assert (restore_agreement(original, small) - original).abs().max() < LEVEL / 2


def test_an_image_with_noise_decides_nothing(picture: Image.Image) -> None:
    noisy = LowResolution(image=Image.effect_noise((16, 16), 80).convert("RGB"))
    for_noise = ImageConditioner(ImageConfig(degradation="bsr_light"))
    assert for_noise.postprocess(picture, noisy).tobytes() == picture.tobytes()
    exact = ImageConditioner(ImageConfig(degradation="bicubic"))
    assert exact.postprocess(picture, noisy).tobytes() != picture.tobytes()
