"""The contract of databases of pictures, from which a run draws reference pictures.

A model with a conditioner of references draws what it is shown. A database has the pictures and the
words that stand for them: the look-up finds the words in a prompt. Entries have numbers, from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Entry:
    """The words of a picture.

    Attributes:
        name: as people write it, such as "red apple"; no two entries have the same.
        synonyms: words that stand for the same thing; of several entries with one, the first has
            it.
        tags: words that describe it, such as "fruit".
        group: the kind of thing that it is, by which the areas of a semantic map find it, such as
            "food and drink".
    """

    name: str
    synonyms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Mention:
    """A place in a text where entries are mentioned.

    Attributes:
        start: of its characters, with an article or a number in front: "two dogs".
        end: of its characters, exclusive.
        entries: number of the entry of each object: twice that of the dog for "two dogs".
    """

    start: int
    end: int
    entries: tuple[int, ...]


@dataclass(frozen=True)
class Guess:
    """An entry for a word that no entry has.

    Attributes:
        entry: its number.
        reason: the word is a tag of the entry, or spelt like one of its names.
    """

    entry: int
    reason: Literal["tag", "spelling"]


class Database(Protocol):
    """Entries and their pictures. `latelier.databases.picture_database` has one of any entries."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All entries; the position of an entry is its number."""
        ...

    def find(self, text: str, /) -> Sequence[Mention]:
        """Return the mentions of names and synonyms in a text, in order, plurals included.

        The longest match wins: "red apple" is no apple. Mentions do not overlap, and slots of
        references such as "#1" are no words.
        """
        ...

    def guess(self, word: str, /) -> Guess | None:
        """Return an entry for a word or phrase that `find` does not find; None without a good one.

        Tags come first, then what is spelt alike.
        """
        ...

    def nearest(self, word: str, /) -> Sequence[str]:
        """Return at most three names that resemble a word, the nearest first, for messages."""
        ...

    def picture(self, number: int, /) -> "Image":
        """Return the picture of an entry, of mode RGBA, with something visible in it.

        Raises:
            DataError: its file is missing or damaged.
        """
        ...
