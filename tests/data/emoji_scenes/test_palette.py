import numpy as np
import pytest

from latelier.data.emoji_scenes.palette import COLORS, PALETTE, lab_distance, srgb_to_lab


def test_there_are_sixteen_names() -> None:
    assert len(COLORS) == len(PALETTE) == 16


def test_colors_are_far_apart() -> None:
    distances = [lab_distance(a, b) for i, a in enumerate(PALETTE) for b in PALETTE[:i]]
    assert min(distances) > 20


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # reference values of CIE L*a*b* under D65
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_values_match_references(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(srgb_to_lab(np.array(rgb)), lab, atol=0.05)
