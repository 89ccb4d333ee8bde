import numpy as np

from latelier.data.emoji_scenes.layers import Layer, cast_shadow, paint_layers


def test_painting_runs_from_back_to_front() -> None:
    layers: list[Layer] = []
    for color in ((200, 0, 0), (0, 0, 200)):
        pixels = np.zeros((16, 16, 4), dtype=np.uint8)
        pixels[4:12, 4:12] = (*color, 255)
        layers.append(Layer(pixels, pixels[..., 3] > 0))
    image = paint_layers(np.full((16, 16, 3), 100, dtype=np.float32), layers, shadow=False)
    assert image[8, 8].tolist() == [200, 0, 0]
    assert image[0, 0].tolist() == [100, 100, 100]


def test_shadow_lies_just_below_its_object() -> None:
    alpha = np.zeros((64, 64), dtype=np.uint8)
    alpha[20:40, 20:40] = 255
    shadow = cast_shadow(alpha)[..., 0]
    assert 0 < shadow[42, 30] < shadow[38, 30] == 1
    assert shadow[19, 30] < 0.1
    assert not shadow[50:].any()
