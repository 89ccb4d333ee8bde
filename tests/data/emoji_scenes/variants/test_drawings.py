import numpy as np

from latelier.data.emoji_scenes.variants.drawings import Drawing, make_drawing
from latelier.data.emoji_scenes.variants.shapes import SHAPES


def drawings(number: int) -> list[Drawing]:
    return [make_drawing(np.random.default_rng(seed)) for seed in range(number)]


def test_drawings_lie_wholly_on_their_tile() -> None:
    for drawing in drawings(150):
        alpha = drawing.artwork.picture()[..., 3]
        assert alpha.max() == 255
        assert not np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).any()
        left, top, right, bottom = drawing.artwork.box
        assert max(right - left, bottom - top) > 64


def test_drawings_are_shapes_letters_and_digits() -> None:
    kinds = {drawing.name.split()[0] for drawing in drawings(150)}
    assert {"letter", "digit"} < kinds
    assert len(kinds & set(SHAPES)) > 15


def test_the_generator_determines_a_drawing() -> None:
    for first, second in zip(drawings(10), drawings(10), strict=True):
        assert first.name == second.name
        np.testing.assert_array_equal(first.artwork.picture(), second.artwork.picture())


def test_most_drawings_have_two_or_three_colors() -> None:
    few = 0
    for drawing in drawings(60):
        picture = drawing.artwork.picture()
        solid = picture[picture[..., 3] == 255, :3]
        _, counts = np.unique(solid // 8, axis=0, return_counts=True)
        few += int((counts > 0.05 * counts.sum()).sum() <= 3)
    assert few > 45
