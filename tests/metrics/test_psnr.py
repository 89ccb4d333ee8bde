import math

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import normalize
from latelier.metrics.psnr import psnr


def test_values_match_hand_computation() -> None:
    black = torch.full((3, 1, 2, 2), -1.0)
    images = black.clone()
    images[0] = 1.0  # every level off by 255
    images[1, 0, 0, 0] = -1 + 2 * 10 / 255  # one level of four off by 10
    images[2] = -1 + 2 / 255  # every level off by 1
    expected = [0.0, 10 * math.log10(255**2 / 25), 10 * math.log10(255**2)]
    assert psnr(images, black).tolist() == pytest.approx(expected, abs=1e-4)


def test_all_channels_have_the_same_weight() -> None:
    black = torch.full((1, 2, 2, 2), -1.0)
    images = black.clone()
    images[:, 1] = -1 + 2 * 10 / 255  # one channel of two off by 10
    assert psnr(images, black).item() == pytest.approx(10 * math.log10(255**2 / 50), abs=1e-4)


def test_pictures_are_compared_as_saved() -> None:
    white = torch.ones(1, 3, 4, 4)
    assert psnr(white * 1.5, white).item() == math.inf
    assert psnr(white - 0.4 / 127.5, white).item() == math.inf
    assert psnr(white - 0.6 / 127.5, white).item() == pytest.approx(48.1308, abs=1e-3)


def test_it_agrees_with_scikit_image(run_peer) -> None:
    generator = torch.Generator().manual_seed(0)
    images, references = (
        torch.randint(256, (3, 3, 16, 20), generator=generator, dtype=torch.uint8) for _ in "ab"
    )
    references[2] = images[2]
    references[2, 0, 0, 0] ^= 1  # one level of one pixel
    expected = run_peer("similarity:psnr", images=images, references=references)
    measured = psnr(normalize(images), normalize(references))
    torch.testing.assert_close(measured.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 3, 4, 4), (3, 4, 4)])
def test_batches_of_different_shapes_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="one shape"):
        psnr(torch.zeros(shape), torch.zeros(1, 3, 4, 4))
    if len(shape) == 3:
        with pytest.raises(InvalidInputError, match="one shape"):
            psnr(torch.zeros(shape), torch.zeros(shape))
