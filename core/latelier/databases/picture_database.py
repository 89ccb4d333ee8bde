"""A database of any entries, whose pictures are read when they are needed."""

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from latelier.contracts.databases import Entry, Guess, Mention
from latelier.contracts.errors import DataError
from latelier.databases.words import ARTICLES, NUMBERS, Word, phrase, plurals, split_words

if TYPE_CHECKING:
    from PIL.Image import Image

_MIN_SIMILARITY = 0.75
"""Least share of letters that a word and a name have in common, in order, for a guess."""

_MAX_COMPARED = 80
"""Most characters of a word that is compared with names."""

_GAP = re.compile(r"[\s._-]+")
"""What may stand between the words of a name: not a comma."""

Phrase = tuple[str, ...]


class PictureDatabase:
    """Entries, and a function that reads the picture of each. It is immutable.

    Attributes:
        entries: the position of an entry is its number.

    Args:
        entries: see `Entry`.
        read: returns the picture of a number, RGBA.

    Raises:
        DataError: a name has no word, or two entries have the same name.
    """

    def __init__(self, entries: Sequence[Entry], read: "Callable[[int], Image]") -> None:
        self.entries = tuple(entries)
        self._read = read
        names: dict[Phrase, str] = {}
        for entry in self.entries:
            words = phrase(entry.name)
            if not words:
                raise DataError(f"expected a name with letters, got '{entry.name}'")
            if words in names:
                raise DataError(f"two entries have the name '{entry.name}': '{names[words]}'")
            names[words] = entry.name

    def find(self, text: str, /) -> list[Mention]:
        """Return the mentions of names and synonyms in a text (see `Database.find`)."""
        return list(self._find(text))

    def guess(self, word: str, /) -> Guess | None:
        """Return the entry with a word as a tag, else the one that is spelt like it, or None."""
        words = phrase(word[:_MAX_COMPARED])
        if words in self._tags:
            return Guess(self._tags[words], "tag")
        wanted = " ".join(words)
        # people rarely misspell a first letter: an "igloo" is no "loo"
        alike = [each for each in self._spelling if each[:1] == wanted[:1]]
        near = get_close_matches(wanted, alike, n=1, cutoff=_MIN_SIMILARITY)
        return Guess(self._spelling[near[0]], "spelling") if near else None

    def nearest(self, word: str, /) -> list[str]:
        """Return at most three names that resemble a word, the nearest first."""
        names = {" ".join(phrase(entry.name)): entry.name for entry in self.entries}
        wanted = " ".join(phrase(word[:_MAX_COMPARED]))
        return [names[each] for each in get_close_matches(wanted, names, n=3, cutoff=0.0)]

    def picture(self, number: int, /) -> "Image":
        """Return the picture of an entry, RGBA."""
        return self._read(number)

    @cached_property
    def _own(self) -> dict[Phrase, int]:
        """Name or synonym -> its entry. Names win."""
        numbered = list(enumerate(self.entries))
        names = [(phrase(entry.name), number) for number, entry in numbered]
        synonyms = [(phrase(each), number) for number, entry in numbered for each in entry.synonyms]
        found: dict[Phrase, int] = {}
        for words, number in (*names, *synonyms):
            if words:
                found.setdefault(words, number)
        return found

    @cached_property
    def _plurals(self) -> dict[Phrase, int]:
        """Plural of a name or synonym -> its entry."""
        found: dict[Phrase, int] = {}
        for words, number in self._own.items():
            for several in plurals(words):
                if several != words:
                    found.setdefault(several, number)
        return found

    @cached_property
    def _longest(self) -> dict[str, int]:
        """First word -> the number of words of the longest phrase that begins with it."""
        found: dict[str, int] = {}
        for words in (*self._own, *self._plurals):
            found[words[0]] = max(found.get(words[0], 0), len(words))
        return found

    @cached_property
    def _tags(self) -> dict[Phrase, int]:
        """Tag -> the entry that has it earliest in its list; plurals too."""
        ranked = sorted(
            (rank, number, phrase(tag))
            for number, entry in enumerate(self.entries)
            for rank, tag in enumerate(entry.tags)
            if phrase(tag)
        )
        found: dict[Phrase, int] = {}
        for _, number, words in ranked:
            for form in (words, *plurals(words)):
                found.setdefault(form, number)
        return found

    @cached_property
    def _spelling(self) -> dict[str, int]:
        """Name, synonym or plural of one -> its entry."""
        phrases = {**self._plurals, **self._own}
        return {" ".join(words): number for words, number in phrases.items()}

    def _find(self, text: str) -> Iterator[Mention]:
        words = split_words(text)
        position = 0
        while position < len(words):
            start, count = _skip_determiners(words, position)
            # "two hearts" may be a name itself
            readings = [(self._match(text, words, position, 1), 1)]
            if start > position:
                readings.append((self._match(text, words, start, count), count))
            found = [(match, number) for match, number in readings if match is not None]
            if not found:
                position += 1
                continue
            (end, entry), count = max(found, key=lambda each: each[0][0])
            yield Mention(words[position].start, words[end - 1].end, (entry,) * count)
            position = end

    def _match(
        self, text: str, words: Sequence[Word], start: int, count: int
    ) -> tuple[int, int] | None:
        """Return where the longest phrase from `start` ends, and its entry; None without one.

        For several objects a plural wins: "two houses" are twice "house", not "houses".
        """
        if start >= len(words):
            return None
        tables = (self._own, self._plurals) if count == 1 else (self._plurals, self._own)
        longest = min(self._longest.get(words[start].form, 0), len(words) - start)
        for length in range(longest, 0, -1):
            found = words[start : start + length]
            key = tuple(word.form for word in found)
            entry = next((table[key] for table in tables if key in table), None)
            if entry is not None and _is_one_phrase(text, found):
                return start + length, entry
        return None


def _skip_determiners(words: Sequence[Word], position: int) -> tuple[int, int]:
    """Return the position after an article and a number, and the number."""
    count = 1
    if words[position].form in ARTICLES:
        position += 1
    if position < len(words) and words[position].form in NUMBERS:
        count = NUMBERS[words[position].form]
        position += 1
    return position, count


def _is_one_phrase(text: str, words: Sequence[Word]) -> bool:
    """Return whether nothing but spaces, full stops and hyphens stands between the words."""
    pairs = pairwise(words)
    return all(_GAP.fullmatch(text[one.end : other.start]) for one, other in pairs)
