"""The part around a mask, which is repainted alone."""

import latelier
import pytest
from latelier.contracts.images.reading import to_data_uri
from PIL import Image

from latelier_server.a1111.only_masked import has_black_cell
from latelier_server.a1111.requests import read_request


def mask_with_black(side: int) -> Image.Image:
    """Return a white mask with a black square."""
    mask = Image.new("L", (64, 64), 255)
    mask.paste(0, (16, 16, 16 + side, 16 + side))
    return mask


@pytest.mark.parametrize(("cell", "is_kept"), [(4, True), (8, True), (16, False)])
def test_a_black_square_is_kept_if_it_fills_a_cell(cell, is_kept):
    assert has_black_cell(mask_with_black(8), (64, 64), cell) is is_kept


def test_the_cell_is_that_of_the_model():
    pipe = latelier.load("emoji-scenes")
    cell = pipe.first_stage.config.downsampling
    fields = {"prompt": "a cat", "width": 64, "height": 64, "mask_blur": 0}
    fields |= {"init_images": [to_data_uri(Image.new("RGB", (64, 64), "red"))]}
    for side, has_mask in ((cell, True), (cell - 1, False)):
        mask = to_data_uri(mask_with_black(side))
        asked = read_request(pipe, {**fields, "mask": mask}, 2**22)
        assert ("mask" in asked.request) is has_mask
