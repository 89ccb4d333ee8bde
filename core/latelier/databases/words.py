"""English words: how a text splits into them, their plurals, articles and numbers."""

import re
import unicodedata
from dataclasses import dataclass

_COUNTS = ("one 1", "two 2 both", "three 3", "four 4", "five 5", "six 6", "seven 7", "eight 8")
NUMBERS = {word: k for k, words in enumerate(_COUNTS, 1) for word in words.split()}
"""Word or digit -> the number that it stands for."""

_ARTICLES = "a an the this that these those some my your his her its our their another"
ARTICLES = frozenset(_ARTICLES.split())
"""Words that introduce a noun without changing what it is."""

_WORD = re.compile(r"(?<![#\w])[^\W_]+(?:['’][^\W_]+)*")
"""A word or number. "#1" is none: it is a slot of a reference."""

_WITHOUT_PLURAL = "bison deer moose series sheep shrimp squid trout"
_WITH_VES = "calf elf half leaf loaf shelf thief wolf"
_IRREGULAR = {
    "cactus": ("cacti", "cactuses"),
    "child": ("children",),
    "die": ("dice",),
    "fish": ("fish", "fishes"),
    "foot": ("feet",),
    "goose": ("geese",),
    "hippopotamus": ("hippopotamuses", "hippopotami"),
    "knife": ("knives",),
    "mouse": ("mice",),
    "octopus": ("octopuses", "octopi"),
    "ox": ("oxen",),
    "person": ("people", "persons"),
    "scarf": ("scarves", "scarfs"),
    "tooth": ("teeth",),
    "woman": ("women",),
    **{word: (word,) for word in _WITHOUT_PLURAL.split()},
    **{word: (f"{word[:-1]}ves",) for word in _WITH_VES.split()},
}

_ARE_PLURALS = frozenset(form for forms in _IRREGULAR.values() for form in forms)

_WITH_ES = ("hero", "mango", "potato", "tomato", "tornado", "volcano")

_MODIFIERS = "and behind for holding in of on over to with without"
_AFTER_THE_HEAD = frozenset(_MODIFIERS.split())
"""Words after which a phrase says more about its noun: "loaf of bread"."""


@dataclass(frozen=True)
class Word:
    """A word of a text: how it is compared, and where it stands."""

    form: str
    start: int
    end: int


def split_words(text: str) -> list[Word]:
    """Return the words and numbers of a text. Case and the form of an apostrophe do not matter."""
    return [Word(_normalize(found[0]), *found.span()) for found in _WORD.finditer(text)]


def phrase(text: str) -> tuple[str, ...]:
    """Return the forms of the words of a text."""
    return tuple(word.form for word in split_words(text))


def plurals(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the plurals of a phrase: its noun is the last word, or the one before "of"."""
    after = next((k for k, word in enumerate(words) if k and word in _AFTER_THE_HEAD), len(words))
    head = after - 1
    return [(*words[:head], form, *words[after:]) for form in _plurals_of_word(words[head])]


def pluralize(name: str) -> str:
    """Return the plural of a name, in lower case: "loaves of bread"."""
    return " ".join(plurals(phrase(name))[0])


def _plurals_of_word(word: str) -> tuple[str, ...]:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("man") and word != "human":  # fireman, policewoman
        return (f"{word.removesuffix('man')}men",)
    if word in _WITH_ES or word.endswith(("ch", "sh", "ss", "us", "is", "x", "z")):
        return (f"{word}es",)
    if word in _ARE_PLURALS or word.endswith("s"):  # it is one already: books
        return (word,)
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return (f"{word[:-1]}ies",)
    return (f"{word}s",)


def _normalize(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
