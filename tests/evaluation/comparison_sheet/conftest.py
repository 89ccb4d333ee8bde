"""A comparison of pictures of one colour each: red ones of one side, blue ones of the other."""

import pytest
from PIL import Image

from latelier.evaluation.comparison_sheet.comparison import Comparison
from latelier.evaluation.comparison_sheet.sides import Side


@pytest.fixture
def comparison() -> Comparison:
    sides = tuple(
        Side(name, [Image.new("RGB", (8, 8), color)] * 4)
        for name, color in (("the red model", "red"), ("the blue model", "blue"))
    )
    prompts = ["a cat", "</script><b>bold", "a dog", "a bird"]
    return Comparison(sides, prompts, range(7, 11), "Which is better?", 0)
