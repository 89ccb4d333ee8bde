"""What captions claim, and what is plain to see in a scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from latelier.data.emoji_scenes.layout import Box, Relation, do_overlap, inverse, is_plain, relation
from latelier.data.emoji_scenes.objects import SceneObject

Position = Literal[
    "left",
    "right",
    "top",
    "bottom",
    "center",
    "top left",
    "top right",
    "bottom left",
    "bottom right",
]
_POSITIONS: Mapping[str, Position] = {each: each for each in get_args(Position)}

Size = Literal["small", "large"]
Turn = Literal["left", "right", "sideways", "upside down"]

# Centres, as fractions of the image, of objects that are plainly on one side or in the middle.
_BEFORE, _AFTER = 0.38, 0.62
_MIDDLE = (0.42, 0.58)
# Longest sides of lone objects, as fractions of the image.
_SMALL, _LARGE = 0.45, 0.72
# Ratio of the longest sides of two objects.
_LARGER = 1.4
# Visible share of an object that is plainly behind another one.
_HIDDEN = 0.97
# Degrees.
_TURNED, _SIDEWAYS, _UPSIDE_DOWN = 12.0, 60.0, 120.0
# Changes of an artwork (see `Artwork.change`).
_VISIBLE_TURN, _VISIBLE_MIRRORING = 0.08, 0.1


@dataclass(frozen=True, slots=True)
class ObjectDetails:
    """What is plain to see of an object, or what a caption says of it; None: nothing.

    Attributes:
        position: of the centre of its box in the image.
        size: of a lone object: its longest side is below 0.45 or above 0.72 of the image; of
            several: the smallest and the largest, where the ratio of their longest sides is 1.4.
        turn: "left" is counter-clockwise, from 12 degrees; "sideways" from 60; "upside down" from
            120.
        mirrored: whether it is mirrored.
    """

    position: Position | None = None
    size: Size | None = None
    turn: Turn | None = None
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class RelationClaim:
    """A relation of two objects: `objects[subject]` is `relation` `objects[other]`."""

    subject: int
    relation: Relation
    other: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a caption says of a scene, beside the names of its objects.

    Attributes:
        background: whether it says what the background is.
        objects: what it says of each object.
        relations: of two objects.
    """

    background: bool
    objects: tuple[ObjectDetails, ...]
    relations: tuple[RelationClaim, ...] = ()


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and what it claims."""

    text: str
    claims: Claims


def observe_details(objects: Sequence[SceneObject]) -> list[ObjectDetails]:
    """Return what is plain to see of each object."""
    sizes = _sizes([each.box for each in objects])
    return [
        ObjectDetails(_position(each.box), size, _turn(each), _is_visibly_mirrored(each))
        for each, size in zip(objects, sizes, strict=True)
    ]


def relate(objects: Sequence[SceneObject], subject: int, other: int) -> Relation:
    """Return the relation of `objects[subject]` to `objects[other]`."""
    first, second = objects[subject], objects[other]
    if first.depth < second.depth:
        return relation(first.box, second.box)
    return inverse(relation(second.box, first.box))


def observe_relations(objects: Sequence[SceneObject]) -> list[RelationClaim]:
    """Return the relations of two objects that are plain to see, in both directions."""
    return [
        RelationClaim(i, relate(objects, i, j), j)
        for i, first in enumerate(objects)
        for j, second in enumerate(objects)
        if i != j and _is_plain(first, second)
    ]


def _is_plain(first: SceneObject, second: SceneObject) -> bool:
    """Return whether the relation of two objects is plain to see."""
    hidden = max(first, second, key=lambda each: each.depth).visible < _HIDDEN
    return is_plain(first.box, second.box) and (hidden or not do_overlap(first.box, second.box))


def _position(box: Box) -> Position | None:
    columns = _third((box[0] + box[2]) / 2, ("left", "", "right"))
    rows = _third((box[1] + box[3]) / 2, ("top", "", "bottom"))
    if columns is None or rows is None:
        return None
    return _POSITIONS[f"{rows} {columns}".strip() or "center"]


def _third(center: float, words: tuple[str, str, str]) -> str | None:
    """Return the word for before, in or after the middle, or None between these."""
    if center <= _BEFORE:
        return words[0]
    if center >= _AFTER:
        return words[2]
    return words[1] if _MIDDLE[0] <= center <= _MIDDLE[1] else None


def _sizes(boxes: Sequence[Box]) -> list[Size | None]:
    sides = [max(box[2] - box[0], box[3] - box[1]) for box in boxes]
    sizes: list[Size | None] = [None] * len(sides)
    if len(sides) == 1:
        if sides[0] < _SMALL:
            return ["small"]
        return ["large"] if sides[0] > _LARGE else sizes
    if max(sides) >= _LARGER * min(sides):
        sizes[sides.index(min(sides))] = "small"
        sizes[sides.index(max(sides))] = "large"
    return sizes


def _turn(each: SceneObject) -> Turn | None:
    angle = (each.placement.angle + 180) % 360 - 180
    if abs(angle) < _TURNED or each.artwork.change(angle, mirrored=False) < _VISIBLE_TURN:
        return None
    if abs(angle) >= _UPSIDE_DOWN:
        return "upside down"
    if abs(angle) >= _SIDEWAYS:
        return "sideways"
    return "left" if angle > 0 else "right"


def _is_visibly_mirrored(each: SceneObject) -> bool:
    return each.placement.mirrored and each.artwork.change(0.0, mirrored=True) >= _VISIBLE_MIRRORING
