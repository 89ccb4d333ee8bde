"""The part of an image that is used."""

import pytest

from latelier.contracts.images.cropping import fit_aspect


@pytest.mark.parametrize(
    ("image", "aspect", "expected"),
    [
        ((30, 20), (16, 16), (20, 20)),
        ((20, 30), (16, 8), (20, 10)),
        ((64, 64), (64, 64), (64, 64)),
        ((100, 3), (3, 100), (1, 3)),
        ((2, 2), (512, 8), (2, 1)),
    ],
)
def test_the_largest_part_of_an_aspect(image, aspect, expected):
    assert fit_aspect(image, aspect) == expected
