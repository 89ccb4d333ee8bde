"""Images of another aspect than the pictures: which size fits them."""

import pytest

from latelier.pipeline.planning.aspect import fit_size


@pytest.mark.parametrize(
    ("aspect", "multiple", "expected"),
    [
        ((300, 200), 8, (624, 416)),
        ((300, 200), 64, (576, 384)),
        ((200, 300), 64, (384, 576)),
        ((512, 512), 64, (512, 512)),
        ((1920, 1080), 8, (680, 384)),
        ((1920, 1080), 64, (576, 320)),
        ((4000, 10), 64, None),
    ],
)
def test_a_fitting_size_has_the_aspect_and_about_as_many_pixels(aspect, multiple, expected):
    assert fit_size(aspect, (512, 512), multiple) == expected
