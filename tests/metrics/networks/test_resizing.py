import numpy as np
import PIL.Image
import pytest
import torch

from latelier.metrics.networks.resizing import resize_bicubic_antialias, resize_tf1_bilinear

from .conftest import draw_pictures

SIZES = [((32, 48), (299, 299)), ((350, 512), (299, 299)), ((64, 64), (64, 64))]


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_the_bilinear_rule_agrees_with_torch_fidelity(run_peer, before, after):
    images = draw_pictures(*before)
    height, width = after
    expected = run_peer("networks:resize_tf1_bilinear", images=images, height=height, width=width)
    torch.testing.assert_close(resize_tf1_bilinear(images, *after), expected, rtol=1e-5, atol=1e-3)


def test_the_bilinear_rule_has_no_offset_of_half_a_pixel():
    ramp = torch.arange(4.0).expand(1, 1, 2, 4)
    assert resize_tf1_bilinear(ramp, 2, 8)[0, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_the_bicubic_rule_agrees_with_pillow(before, after):
    images = draw_pictures(*before)
    size = after[::-1]
    expected = torch.stack(
        [
            torch.stack(
                [
                    torch.from_numpy(
                        np.array(
                            PIL.Image.fromarray(channel.float().numpy()).resize(
                                size, PIL.Image.Resampling.BICUBIC
                            )
                        )
                    )
                    for channel in image
                ]
            )
            for image in images
        ]
    ).clamp(0, 255)
    torch.testing.assert_close(
        resize_bicubic_antialias(images, *after), expected, rtol=1e-5, atol=1e-3
    )


def test_the_bicubic_rule_clips_overshoots():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 255
    resized = resize_bicubic_antialias(edge, 16, 16)
    assert (resized.min(), resized.max()) == (0, 255)
