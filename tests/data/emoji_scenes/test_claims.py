import numpy as np
import pytest

from latelier.data.emoji_scenes.artwork import Placement, glyph_artwork
from latelier.data.emoji_scenes.claims import (
    ObjectDetails,
    RelationClaim,
    observe_details,
    observe_relations,
    relate,
)
from latelier.data.emoji_scenes.glyphs import all_glyphs
from latelier.data.emoji_scenes.layout import Box
from latelier.data.emoji_scenes.objects import SceneObject


def put(
    box: Box,
    name: str = "sailboat",
    depth: int = 0,
    angle: float = 0.0,
    mirrored: bool = False,
    visible: float = 1.0,
) -> SceneObject:
    glyph = next(glyph for glyph in all_glyphs() if glyph.name == name)
    placement = Placement((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 0.5, angle, mirrored)
    artwork = glyph_artwork(glyph.index)
    return SceneObject(glyph, 0, "atlas", artwork, depth, box, visible, placement)


MIDDLE = (0.2, 0.2, 0.8, 0.8)


@pytest.mark.parametrize(
    ("box", "position", "size"),
    [
        (MIDDLE, "center", None),
        ((0.0, 0.3, 0.4, 0.7), "left", "small"),
        ((0.6, 0.6, 1.0, 1.0), "bottom right", "small"),
        ((0.4, 0.0, 0.6, 0.3), "top", "small"),
        ((0.0, 0.05, 1.0, 0.95), "center", "large"),
        ((0.1, 0.1, 0.7, 0.7), None, None),  # neither in the middle nor on one side
    ],
)
def test_positions_and_sizes_are_observed(box: Box, position: str, size: str) -> None:
    [details] = observe_details([put(box)])
    assert (details.position, details.size) == (position, size)


def test_of_several_objects_the_smallest_and_the_largest_are_told_apart() -> None:
    boxes = [(0.0, 0.0, 0.3, 0.3), (0.5, 0.0, 0.9, 0.4), (0.0, 0.4, 0.5, 0.9)]
    assert [each.size for each in observe_details([put(box) for box in boxes])] == [
        "small",
        None,
        "large",
    ]
    assert {each.size for each in observe_details([put(box) for box in boxes[1:]])} == {None}


@pytest.mark.parametrize(
    ("angle", "turn"),
    [(5, None), (20, "left"), (-20, "right"), (90, "sideways"), (-175, "upside down"), (355, None)],
)
def test_turns_are_observed(angle: float, turn: str | None) -> None:
    assert observe_details([put(MIDDLE, angle=angle)]) == [
        ObjectDetails(position="center", turn=turn)  # type: ignore[arg-type]
    ]


def test_what_nobody_sees_is_not_observed() -> None:
    circle = put(MIDDLE, name="red circle", angle=30, mirrored=True)
    assert observe_details([circle]) == [ObjectDetails(position="center")]
    assert observe_details([put(MIDDLE, mirrored=True)])[0].mirrored


def test_relations_know_what_is_in_front() -> None:
    behind, front = put(MIDDLE, depth=1, visible=0.7), put((0.4, 0.4, 0.6, 0.6))
    assert relate([behind, front], 0, 1) == "behind"
    assert relate([behind, front], 1, 0) == "in front of"
    assert observe_relations([behind, front]) == [
        RelationClaim(0, "behind", 1),
        RelationClaim(1, "in front of", 0),
    ]


def test_boxes_that_overlap_where_neither_object_is_hidden_have_no_plain_relation() -> None:
    assert not observe_relations([put((0.0, 0.0, 0.6, 0.6)), put((0.4, 0.4, 1.0, 1.0), depth=1)])


def test_relations_are_observed_in_both_directions() -> None:
    left, right = put((0.0, 0.4, 0.3, 0.7)), put((0.6, 0.4, 0.9, 0.7), depth=1)
    assert observe_relations([left, right]) == [
        RelationClaim(0, "to the left of", 1),
        RelationClaim(1, "to the right of", 0),
    ]
    assert np.array_equal(left.artwork.picture(), right.artwork.picture())
