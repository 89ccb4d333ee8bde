"""Checks of windows and boxes: whether a conditioner acts in the right place of a picture."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.condition import ConditionPart
from latelier.contracts.inputs import Box
from latelier.testing.conditioner_checks.base import ConditionerBase
from latelier.testing.conditioner_checks.comparison import MIN_DIFFERENCE, has_difference
from latelier.testing.support.boxes import box, find_boxes, replace_boxes
from latelier.testing.support.comparison import is_close
from latelier.testing.support.randomness import seeded

WHOLE = (0.0, 0.0, 1.0, 1.0)

_BOX_PAIRS = (
    (box(0.0, 0.25, 0.25, 0.75), box(0.75, 0.25, 1.0, 0.75)),
    (box(0.25, 0.0, 0.75, 0.25), box(0.25, 0.75, 0.75, 1.0)),
    (box(0.0, 0.25, 0.5, 0.5), box(0.25, 0.0, 0.5, 0.5)),
    (box(0.5, 0.5, 0.75, 0.75), box(0.5, 0.5, 1.0, 1.0)),
)
"""Mirrored left to right, top to bottom, along the diagonal; of another size. Read as corner and
size, those of the last pair both reach to the end of the picture."""


class PlaceChecks(ConditionerBase):
    """Windows and boxes are x0, y0, x1, y1 in 0..1, from the upper left corner."""

    def test_a_window_of_the_whole_changes_nothing(self) -> None:
        """One window over the whole picture gives the same part as no window."""
        component = self.build()
        with torch.no_grad(), seeded():
            batch = self.make_inputs(component, self.rows)
            cropped = dict(component.crop(batch, WHOLE))
            expected = self.compute(component, batch)
            outputs = self.compute(self.build(), cropped)
        for name, tensor in expected.items():
            assert is_close(outputs[name], tensor), (
                f"{name} differs through a window of the whole picture: a window is x0, y0, x1, y1 "
                "in 0..1"
            )

    def test_boxes_that_differ_give_parts_that_differ(self) -> None:
        """Boxes that are mirrored, moved or of another size differ; corners are not sizes."""
        for value in self._inputs_with_one_box():
            for one, other in _BOX_PAIRS:
                parts = [self.part_of([replace_boxes(value, each)]) for each in (one, other)]
                assert has_difference(*parts), (
                    f"the boxes {one!r} and {other!r} give the same part: a box is x0, y0, x1, y1 "
                    "in 0..1 from the upper left, not x, y, width, height"
                )

    def test_what_a_box_changes_lies_in_it(self) -> None:
        """Regions and spatial maps change inside the box alone, and `reach` cells around it."""
        boxes = box(0.5, 0.25, 0.75, 0.5), box(0.0, 0.5, 0.25, 1.0)
        for value in self._inputs_with_one_box():
            maps = [_maps_of(self.part_of([replace_boxes(value, each)])) for each in boxes]
            for name, one in maps[0].items():
                other = maps[1][name]
                changed = (one - other).abs().amax(dim=(0, 1)) > MIN_DIFFERENCE  # (h, w)
                outside = changed & ~_cells_near(boxes, changed, self.reach)
                assert changed.any(), f"the {name} is the same wherever the box is"
                assert not outside.any(), (
                    f"the {name} changes outside the box: a box is x0, y0, x1, y1 in 0..1 from the "
                    "upper left; rows are y, columns x"
                )

    def _inputs_with_one_box(self) -> list[Any]:
        values = [self.read(value) for value in self.inputs]
        return [value for value in values if len(list(find_boxes(value))) == 1]


def _maps_of(part: ConditionPart) -> dict[str, Tensor]:
    """Return the tensors of a part that lie in the picture, (B, C, h, w)."""
    region = None if part.stream is None else part.stream.region
    maps = {"region": region, "spatial part": part.spatial}
    return {name: each for name, each in maps.items() if each is not None}


def _cells_near(boxes: Sequence[Box], like: Tensor, reach: int) -> Tensor:
    """Return the cells (h, w) bool that boxes touch, and `reach` cells around them."""
    h, w = like.shape
    cells = torch.zeros_like(like)
    for each in boxes:
        rows = slice(max(int(each.y0 * h) - reach, 0), int(each.y1 * h) + reach)
        columns = slice(max(int(each.x0 * w) - reach, 0), int(each.x1 * w) + reach)
        cells[rows, columns] = True
    return cells
