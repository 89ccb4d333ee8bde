"""Captions that say the background and all that is plain to see of the objects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from latelier.data.emoji_scenes.backgrounds import BackgroundInfo
from latelier.data.emoji_scenes.captions import (
    background_phrase,
    background_tag,
    enumerate_phrases,
    is_slot,
    noun_phrase,
)
from latelier.data.emoji_scenes.claims import (
    Caption,
    Claims,
    ObjectDetails,
    Position,
    RelationClaim,
    Size,
    Turn,
)
from latelier.data.emoji_scenes.layout import Relation

_POSITIONS: Mapping[Position, tuple[str, ...]] = {
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "center": ("in the center", "in the middle", "in the centre"),
    "top left": ("at the top left", "in the top left corner", "in the upper left"),
    "top right": ("at the top right", "in the top right corner", "in the upper right"),
    "bottom left": ("at the bottom left", "in the bottom left corner", "in the lower left"),
    "bottom right": ("at the bottom right", "in the bottom right corner", "in the lower right"),
}
_SIZES: Mapping[Size, tuple[str, ...]] = {
    "small": ("small", "small", "little", "tiny"),
    "large": ("large", "large", "big", "huge"),
}
_TURNS: Mapping[Turn, tuple[str, ...]] = {
    "left": ("tilted to the left", "tilted left", "leaning to the left"),
    "right": ("tilted to the right", "tilted right", "leaning to the right"),
    "sideways": ("turned sideways",),
    "upside down": ("upside down",),
}
_RELATIONS: Mapping[Relation, tuple[str, ...]] = {
    "to the left of": ("to the left of", "to the left of", "left of", "on the left of"),
    "to the right of": ("to the right of", "to the right of", "right of", "on the right of"),
    "above": ("above", "above", "over"),
    "below": ("below", "below", "under", "beneath"),
    "in front of": ("in front of",),
    "behind": ("behind",),
    "overlapping": ("overlapping", "touching"),
}
_PLACES: Mapping[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "in a meadow", "in the meadow", "on the grass"),
    "beach": ("on a beach", "on a beach", "on the beach", "at the beach"),
    "sea": ("at sea", "at sea", "on the sea", "in the sea"),
    "snow": ("in the snow", "in the snow", "in snow"),
    "desert": ("in the desert at sunset", "in the desert", "in a desert"),
    "night": ("under a night sky", "under the night sky", "at night"),
}
_PREPOSITIONS = ("on", "on", "on", "against")
_MIRRORED = ("mirrored", "flipped")
_OPENINGS = ("a picture of", "an image of", "a drawing of", "a scene with")
_SLOT_ARTICLES = ("", "", "", "a", "the")


class _Wording:
    """The words of one caption, chosen at random."""

    def __init__(self, names: Sequence[str], rng: np.random.Generator) -> None:
        self._names = names
        self._rng = rng
        self._slot_article = self.choose(_SLOT_ARTICLES)

    def choose(self, words: Sequence[str]) -> str:
        """Return one of several words."""
        return words[int(self._rng.integers(len(words)))]

    def noun(self, number: int, details: ObjectDetails) -> str:
        """Return an object with its size and mirroring: "a small mirrored cat"."""
        adjectives = [self.choose(_SIZES[details.size])] if details.size else []
        if details.mirrored:
            adjectives.append(self.choose(_MIRRORED))
        name = self._names[number]
        if is_slot(name):
            return " ".join(word for word in (self._slot_article, *adjectives, name) if word)
        return noun_phrase(name, " ".join(adjectives))

    def known_noun(self, number: int) -> str:
        """Return an object that was named before: "the cat", "#1"."""
        name = self._names[number]
        if is_slot(name):
            return f"{'the ' if self._slot_article else ''}{name}"
        return f"the {name}"

    def placed_noun(self, number: int, details: ObjectDetails) -> str:
        """Return an object with its position and turn."""
        words = [self.noun(number, details)]
        if details.position:
            words.append(self.choose(_POSITIONS[details.position]))
        if details.turn:
            comma = "," if details.position else ""
            words[-1] += f"{comma} {self.choose(_TURNS[details.turn])}"
        return " ".join(words)

    def background(self, info: BackgroundInfo) -> str:
        """Return the background with a preposition: "against a blue background", "at night"."""
        if info.kind == "place":
            return self.choose(_PLACES[info.style])
        return f"{self.choose(_PREPOSITIONS)} {_background_noun(info)}"

    def tags(self, number: int, details: ObjectDetails) -> list[str]:
        """Return an object and its details as items of a list."""
        turn = self.choose(_TURNS[details.turn]) if details.turn else ""
        items = (
            self._names[number],
            details.size or "",
            "mirrored" if details.mirrored else "",
            turn,
            details.position or "",
        )
        return [item for item in items if item]


def write_detailed_caption(
    names: Sequence[str],
    background: BackgroundInfo,
    details: Sequence[ObjectDetails],
    relations: Sequence[RelationClaim],
    rng: np.random.Generator,
) -> Caption:
    """Return a caption of the background and of what is plain to see, short or long.

    A lone object has all of its details. Several have relations, or positions and perhaps one
    that is mirrored, so that captions stay short.

    Args:
        names: of the objects, or slots such as "#1".
        background: of the scene.
        details: plain to see, of each object.
        relations: plain to see, in both directions.
        rng: source of random numbers.
    """
    wording = _Wording(names, rng)
    if len(names) == 1:
        if rng.random() < 0.25:
            tags = wording.tags(0, details[0])
            text = ", ".join([tags[0], background_tag(background), *tags[1:]])
            return Caption(text, Claims(True, tuple(details)))
        text = _add_background(wording.placed_noun(0, details[0]), background, wording, rng)
        return Caption(text, Claims(True, tuple(details)))
    mirrored = int(rng.integers(len(names)))
    said = [
        replace(each, turn=None, mirrored=each.mirrored and i == mirrored)
        for i, each in enumerate(details)
    ]
    chosen = _choose_relations(len(names), relations, rng) if rng.random() < 0.6 else ()
    if chosen:
        said = [replace(each, position=None) for each in said]
        subject = _relate(chosen, said, wording)
    else:
        # Else "a cat and a dog on the left" would place both.
        order = sorted(range(len(names)), key=lambda i: said[i].position is None)
        subject = enumerate_phrases([wording.placed_noun(i, said[i]) for i in order])
    text = _add_background(subject, background, wording, rng)
    return Caption(text, Claims(True, tuple(said), tuple(chosen)))


def _add_background(
    subject: str, background: BackgroundInfo, wording: _Wording, rng: np.random.Generator
) -> str:
    """Return a sentence, or part of one, with the objects and the background."""
    phrase = wording.background(background)
    template = rng.random()
    if template < 0.4:
        return f"{subject} {phrase}"
    if template < 0.55:
        return f"{subject}, {background_tag(background)}"
    if template < 0.75:
        return f"{phrase}, {subject}"
    if template < 0.9 or background.kind == "place":
        return f"{wording.choose(_OPENINGS)} {subject} {phrase}"
    joined = "and" if background.kind == "dots" else "with"  # "with dots and a cat"
    return f"{_background_noun(background)} {joined} {subject}"


def _background_noun(info: BackgroundInfo) -> str:
    """Return a background that is no place, such as "a blue background"."""
    return background_phrase(info).removeprefix("on ")


def _choose_relations(
    count: int, relations: Sequence[RelationClaim], rng: np.random.Generator
) -> tuple[RelationClaim, ...]:
    """Return a relation of each further object to an earlier one; none if one has none."""
    if not relations or count > 3:
        return ()
    first = relations[int(rng.integers(len(relations)))]
    if count == 2:
        return (first,)
    rest = [each for each in relations if each.subject not in (first.subject, first.other)]
    return (first, rest[int(rng.integers(len(rest)))]) if rest else ()


def _relate(
    relations: Sequence[RelationClaim], details: Sequence[ObjectDetails], wording: _Wording
) -> str:
    """Return the objects with their relations: "a cat above a dog, with an owl below the dog"."""
    first, *others = relations
    words = wording.choose(_RELATIONS[first.relation])
    subject = wording.noun(first.subject, details[first.subject])
    text = f"{subject} {words} {wording.noun(first.other, details[first.other])}"
    for each in others:
        words = wording.choose(_RELATIONS[each.relation])
        subject = wording.noun(each.subject, details[each.subject])
        text += f", with {subject} {words} {wording.known_noun(each.other)}"
    return text
