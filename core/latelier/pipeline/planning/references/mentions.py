"""Which entries of a database a text mentions.

Words that the text conditioner of the model knows, such as those of backgrounds, are left to it: a
mention of such words alone counts only in a text without another one and without slots. Words that
nobody knows are guessed, with a warning, where a noun may stand.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from latelier.contracts.databases import Database, Mention
from latelier.databases.words import ARTICLES, NUMBERS, Word, phrase, split_words
from latelier.pipeline.planning.references.slots import slots_in

_ABOUT_PICTURES = "art cartoon drawing emoji icon illustration image photo picture painting scene"
ABOUT_PICTURES = tuple(_ABOUT_PICTURES.split())
"""Words for the picture itself."""

_PLAIN = frozenset((*ABOUT_PICTURES, "of", "and", "with", "in", "on", "at", "is", "are"))
"""Words that name no object."""

_BEFORE_PLACES = frozenset(("against", "at", "in", "on", "under"))
"""Words before a place or background: "on an orange background"."""

_REASONS: dict[Literal["tag", "spelling"], str] = {
    "tag": "one of its tags",
    "spelling": "spelt like it",
}

_SPACES = re.compile(r"[\s-]+")


@dataclass(frozen=True)
class Reading:
    """The mentions in a text.

    Attributes:
        mentions: in order.
        unknown: the first character and the end of each phrase that nobody knows.
        warnings: about unknown phrases, guessed ones too.
    """

    mentions: tuple[Mention, ...]
    unknown: tuple[tuple[int, int], ...] = ()
    warnings: tuple[str, ...] = ()


def read_mentions(
    text: str, database: Database, source: str, vocabulary: Collection[str] = ()
) -> Reading:
    """Return the mentions in a text.

    Args:
        text: of the request.
        database: whose entries are mentioned.
        source: the id of the database, for warnings.
        vocabulary: words that the text conditioner knows; empty: they have no limits, so nothing
            is left to it and nothing is guessed.
    """
    found = database.find(text)
    if not vocabulary:
        return Reading(tuple(found))
    known = {form for word in vocabulary for form in phrase(word)}
    mentions = [each for each in found if not _forms(text, each) <= known]
    if not mentions and not slots_in(text):
        mentions = [each for each in found if _is_object(text, each)][:1]
    guessed, unknown, warnings = [], [], []
    for start, words, count in _unknown_phrases(text, mentions, known):
        name = text[words[0].start : words[-1].end]
        guess = database.guess(name) or database.guess(words[-1].form)
        if guess is None:
            nearest = ", ".join(f"'{each}'" for each in database.nearest(name))
            warnings.append(f"'{name}' is not in {source}; the nearest names are {nearest}")
            unknown.append((words[0].start, words[-1].end))
            continue
        taken, reason = database.entries[guess.entry].name, _REASONS[guess.reason]
        warnings.append(f"'{name}' is not in {source}; it drew '{taken}': {reason}")
        guessed.append(Mention(start, words[-1].end, (guess.entry,) * count))
    ordered = sorted((*mentions, *guessed), key=lambda each: each.start)
    return Reading(tuple(ordered), tuple(unknown), tuple(warnings))


def _forms(text: str, mention: Mention) -> set[str]:
    """Return the words of a mention without articles and numbers."""
    forms = phrase(text[mention.start : mention.end])
    return set(forms) - ARTICLES - NUMBERS.keys() or set(forms)


def _is_object(text: str, mention: Mention) -> bool:
    """Return whether a mention has an article or a number, and no place before it."""
    first, before = phrase(text[mention.start : mention.end])[0], phrase(text[: mention.start])
    is_introduced = not before or first in ARTICLES - {"the"} or first in NUMBERS
    return is_introduced and not {*before[-1:]} & _BEFORE_PLACES


def _unknown_phrases(
    text: str, mentions: Sequence[Mention], known: Collection[str]
) -> Iterator[tuple[int, list[Word], int]]:
    """Yield where each phrase of unknown words begins, its words, and the number of its objects."""
    words = split_words(text)
    plain = {*known, *ARTICLES, *NUMBERS, *_PLAIN}
    mentioned = [any(m.start <= word.start < m.end for m in mentions) for word in words]
    unknown = [
        word.form not in plain and not word.form.isdecimal() and not inside
        for word, inside in zip(words, mentioned, strict=True)
    ]
    for first, last in _runs(text, words, unknown):
        is_adjective = last < len(words) and mentioned[last] and _touch(text, words, last)
        if _begins_a_noun(text, words, first) and not is_adjective:
            start, count = _introduction(words, first)
            yield words[start].start, words[first:last], count


def _begins_a_noun(text: str, words: Sequence[Word], position: int) -> bool:
    """Return whether a word follows an article, a number, "and", "with", a comma or nothing."""
    before = text[: words[position].start].rstrip()
    if not before or before.endswith(","):
        return True
    return position > 0 and words[position - 1].form in {*ARTICLES, *NUMBERS, "and", "with"}


def _runs(text: str, words: Sequence[Word], chosen: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield the first and the end of each longest run of chosen words with spaces between them."""
    first = None
    for position, each in enumerate(chosen):
        if first is not None and not (each and _touch(text, words, position)):
            yield first, position
            first = None
        if each and first is None:
            first = position
    if first is not None:
        yield first, len(words)


def _touch(text: str, words: Sequence[Word], position: int) -> bool:
    """Return whether spaces alone stand between a word and the one before it."""
    return _SPACES.fullmatch(text[words[position - 1].end : words[position].start]) is not None


def _introduction(words: Sequence[Word], first: int) -> tuple[int, int]:
    """Return the position of the article or number before a phrase, and the number."""
    count = 1
    if first and words[first - 1].form in NUMBERS:
        first -= 1
        count = NUMBERS[words[first].form]
    if first and words[first - 1].form in ARTICLES:
        first -= 1
    return first, count
