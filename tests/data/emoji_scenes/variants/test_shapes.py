import numpy as np
import pytest

from latelier.data.emoji_scenes.variants.shapes import SHAPES, draw_shape


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_fill_the_square_and_vary(name: str) -> None:
    shapes = [draw_shape(name, np.random.default_rng(seed)) for seed in range(4)]
    for shape in shapes:
        extent = np.abs(shape.outer).max(axis=0)
        assert extent.max() == pytest.approx(1)
        assert extent.min() > 0.2
        assert all(np.abs(hole).max() < 1 for hole in shape.holes)
    if name not in ("circle", "half disc"):
        outlines = {shape.outer.tobytes() + b"".join(map(bytes, shape.holes)) for shape in shapes}
        assert len(outlines) > 1
