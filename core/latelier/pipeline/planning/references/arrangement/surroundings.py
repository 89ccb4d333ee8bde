"""What a text says besides its objects: the background, and the style of the picture."""

import re
from itertools import pairwise

from latelier.databases.words import ARTICLES, NUMBERS
from latelier.pipeline.planning.references.arrangement.wishes import (
    MIRRORED,
    PLACE,
    RELATIONS,
    SIZES,
    TURN,
)
from latelier.pipeline.planning.references.mentions import ABOUT_PICTURES
from latelier.pipeline.planning.references.slots import SLOT

_INTRODUCING = "|".join((*ARTICLES, *NUMBERS, *SIZES))
_DESCRIBING = rf"(?: (?!(?:and|of|while|with|{'|'.join(ARTICLES)})\b)[\w-]+){{0,2}}"
_RELATION = "|".join(RELATIONS)

_INTRODUCED = re.compile(rf"\b(?:{_INTRODUCING}){_DESCRIBING}\s*$", re.IGNORECASE)
"""Words before an object: "a small striped"."""

_RELATED = re.compile(
    rf"\b(?:{_RELATION})(?: (?:an?|the))?{_DESCRIBING}\s*$|^\s*on(?: (?:an?|the))?\s*$",
    re.IGNORECASE,
)
"""Words between two objects: "to the left of a small"."""

_BEHIND = re.compile(rf"\b(?:{_RELATION})\s*$", re.IGNORECASE)
"""What the words before the first object are to it: "a night sky behind"."""

_PLACED = re.compile(
    rf"\b(?:against|at|by|in|on|over|under)(?: (?:an?|the))?{_DESCRIBING}\s*$", re.IGNORECASE
)
"""Words before the first object that are about the background: "under a night sky"."""

_PICTURED = re.compile(
    rf"\b(?:(?:an?|the) )?(?:{'|'.join(ABOUT_PICTURES)}) (?:of|with)\s*$", re.IGNORECASE
)
_POSED = re.compile(
    rf"{PLACE.pattern}|{TURN.pattern}|{MIRRORED.pattern}|(?<=,)\s*(?:{'|'.join(SIZES)})\s*(?=,|$)",
    re.IGNORECASE,
)
_JOINING = re.compile(
    r"^\s*(?:(?:and|while|with)\b\s*)?|(?:[\s,]*\b(?:and|of|while|with))?[\s,&;]*$", re.IGNORECASE
)
_COMMAS = re.compile(r"(?:\s*,)+\s*")


def read_surroundings(text: str) -> tuple[str, str]:
    """Return what a text with slots says before its first object, and after it.

    The latter begins with a comma if the text has one there.
    """
    slots = list(SLOT.finditer(text))
    edges = [0, *(edge for slot in slots for edge in slot.span()), len(text)]
    gaps = [text[start:end] for start, end in pairwise(edges)][::2]
    before = gaps[0] if _PLACED.search(gaps[0]) else _BEHIND.sub("", _leave_out_words(gaps[0]))
    between = [
        _RELATED.sub("", gap) if _RELATED.search(gap) else _leave_out_words(gap)
        for gap in gaps[1:-1]
    ]
    after = [_tidy(gap) for gap in (*between, gaps[-1])]
    return _tidy(before).lstrip(" ,"), " ".join(gap for gap in after if gap not in ("", ","))


def _leave_out_words(gap: str) -> str:
    """Return the words before an object without those that introduce it."""
    return _PICTURED.sub("", _INTRODUCED.sub("", gap))


def _tidy(gap: str) -> str:
    """Return words without those about poses, and without what joined them to objects."""
    return _JOINING.sub("", _COMMAS.sub(", ", _POSED.sub("", gap)))
