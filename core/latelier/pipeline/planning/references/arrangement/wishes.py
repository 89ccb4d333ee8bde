"""What a text says about where its objects are, and how large.

Objects are slots of references, so that a text is "a small #1 to the left of #2 in a meadow".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, get_args

from latelier.pipeline.planning.references.slots import SLOT

Relation = Literal["left of", "right of", "above", "below", "in front of", "behind", "overlapping"]
Size = Literal["small", "large"]
Turn = Literal["left", "right", "sideways", "upside down"]
Place = tuple[int, int]
"""Third of the picture that has the centre of an object: -1 (left, top), 0 or 1, for x and y."""

RELATIONS: Mapping[str, Relation] = {
    r"(?:to |on |at )?(?:the |its )?left(?:(?:-hand)? side)? of": "left of",
    r"(?:to |on |at )?(?:the |its )?right(?:(?:-hand)? side)? of": "right of",
    r"above|over|on top of|sitting on|standing on|lying on": "above",
    r"below|under|underneath|beneath": "below",
    r"in front of": "in front of",
    r"behind": "behind",
    r"overlapping|touching": "overlapping",
}
"""Words before an object, what another one is to it."""

_ALONE = re.compile(r"^\s*(?:on)\s+(?:an?\s+|the\s+)?$")
"""Between two objects: "a cat on a mat"."""

_TOGETHER = re.compile(r"^\s*(?:,|,? and|&)(?: (?:an?|the))?(?: (?!with|while)[\w-]+)?\s*$")
"""Between two objects that have one place in a sentence: "a cat and a small dog"."""

_ROWS = {"top": -1, "upper": -1, "bottom": 1, "lower": 1}
_COLUMNS = {"left": -1, "right": 1}
PLACE = re.compile(
    r"(?:\b(?:on|at|in|near)\s+(?:the\s+)?|(?<=,)\s*)"
    r"(?:(?P<row>top|upper|bottom|lower)(?:[ -](?P<corner>left|right))?|(?P<column>left|right)"
    r"|(?P<middle>cent(?:er|re)|middle))\b"
    r"(?:[ -](?:hand )?(?:side|corner|half|part|edge))?(?!\s+of\b)"
)
"""Words for a third of the picture."""

_BEGINS = re.compile(r"(?:\b(?:and|with|while)|;)\s*$")
"""Words after which a place belongs to the next object: "... and on the right a dog"."""

SIZES: Mapping[str, Size] = {
    **dict.fromkeys(("small", "little", "tiny"), "small"),
    **dict.fromkeys(("large", "big", "huge", "giant"), "large"),
}
"""Words for sizes."""

_SIZED = re.compile(rf"\b({'|'.join(SIZES)})(?:,? \w+)?\s*$")
_TAGGED_SIZE = re.compile(rf",\s*({'|'.join(SIZES)})\s*(?:,|$)")

TURN = re.compile(
    r"\b(?:(?:tilted|leaning|turned|rotated) (?:to the )?(left|right)|(?:turned )?(sideways)"
    r"|(upside down))\b"
)
_TURN_WORDS: Mapping[str, Turn] = {each: each for each in get_args(Turn)}
MIRRORED = re.compile(r"\b(?:mirrored|flipped)\b")
"""Words for how an object lies."""


@dataclass(frozen=True)
class Wishes:
    """What a text says about the arrangement of its objects, which are numbered from 0.

    Attributes:
        places: of the centres of objects.
        sizes: of objects.
        relations: of two objects: the first is `relation` the other.
        turns: of objects.
        mirrored: objects that are mirrored left to right.
    """

    places: Mapping[int, Place] = field(default_factory=dict)
    sizes: Mapping[int, Size] = field(default_factory=dict)
    relations: tuple[tuple[int, Relation, int], ...] = ()
    turns: Mapping[int, Turn] = field(default_factory=dict)
    mirrored: frozenset[int] = frozenset()


def read_wishes(text: str) -> Wishes:
    """Return what a text with slots says about the arrangement."""
    text = text.lower()
    slots = list(SLOT.finditer(text))
    numbers = [int(slot[1]) - 1 for slot in slots]
    gaps = [
        text[start:end]
        for start, end in pairwise(
            [0, *(edge for slot in slots for edge in slot.span()), len(text)]
        )
    ][::2]  # before, between and after the slots
    return Wishes(
        dict(_read_places(numbers, gaps)),
        dict(_read_sizes(numbers, gaps)),
        tuple(_read_relations(numbers, gaps)),
        dict(_read_turns(numbers, gaps)),
        frozenset(_read_mirrored(numbers, gaps)),
    )


def _read_relations(numbers: list[int], gaps: list[str]) -> Iterator[tuple[int, Relation, int]]:
    """Yield the relations of neighbours in a text, and of those that stand with them."""
    for k, gap in enumerate(gaps[1:-1]):
        relation = _find_relation(gap)
        if relation is None:
            continue
        for subject in _standing_with(k, numbers, gaps, step=-1):
            for other in _standing_with(k + 1, numbers, gaps, step=1):
                if subject != other:
                    yield subject, relation, other


def _find_relation(gap: str) -> Relation | None:
    for pattern, relation in RELATIONS.items():
        if re.search(rf"\b(?:{pattern})(?: (?:an?|the))?(?: [\w-]+){{0,2}}\s*$", gap):
            return relation
    return "above" if _ALONE.match(gap) else None


def _standing_with(k: int, numbers: list[int], gaps: list[str], step: int) -> Iterator[int]:
    """Yield an object and those that are listed with it, before it (step -1) or after it."""
    yield numbers[k]
    # the gap before object k is gaps[k], the one after it gaps[k + 1]
    while 0 <= k + step < len(numbers) and _TOGETHER.match(gaps[k if step < 0 else k + 1]):
        k += step
        yield numbers[k]


def _read_places(numbers: list[int], gaps: list[str]) -> Iterator[tuple[int, Place]]:
    """Yield the places of objects: of the one before the words, or the next if there is none."""
    for k, gap in enumerate(gaps):
        for found in PLACE.finditer(gap):
            is_of_next = k == 0 or _BEGINS.search(gap[: found.start()])
            position = k if is_of_next else k - 1
            if 0 <= position < len(numbers):
                yield numbers[position], _place(found)


def _place(found: re.Match[str]) -> Place:
    column = found["corner"] or found["column"]
    return _COLUMNS.get(column or "", 0), _ROWS.get(found["row"] or "", 0)


def _read_sizes(numbers: list[int], gaps: list[str]) -> Iterator[tuple[int, Size]]:
    """Yield the sizes of objects: "a small striped #1", "#1, small"."""
    for k, number in enumerate(numbers):
        found = _SIZED.search(gaps[k]) or _TAGGED_SIZE.search(gaps[k + 1])
        if found:
            yield number, SIZES[found[1]]


def _read_turns(numbers: list[int], gaps: list[str]) -> Iterator[tuple[int, Turn]]:
    """Yield the turns of objects: "#1 tilted to the left", "#1, upside down"."""
    for number, gap in zip(numbers, gaps[1:], strict=True):
        found = TURN.search(gap)
        if found:
            yield number, _TURN_WORDS[next(word for word in found.groups() if word)]


def _read_mirrored(numbers: list[int], gaps: list[str]) -> Iterator[int]:
    """Yield the objects that are mirrored: "a small mirrored #1", "#1, flipped"."""
    for k, number in enumerate(numbers):
        before = gaps[k].rpartition(",")[2] if k else gaps[k]
        after = gaps[k + 1] if gaps[k + 1].lstrip().startswith(",") else ""
        if MIRRORED.search(before) or (k + 1 == len(numbers) and MIRRORED.search(after)):
            yield number
