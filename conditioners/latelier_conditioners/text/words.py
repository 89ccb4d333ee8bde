"""The words of the captions that a text conditioner was trained with."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from latelier.contracts.errors import ModelFileError

MAX_WORDS = 50_000
"""Words that are kept, the most frequent first."""

_WORD = re.compile(r"(?:#(?=\d))?\w+(?:['-]\w+)*")
"""A word, a number, or a slot of a reference picture: #1."""


class CaptionWords:
    """The words of captions, lower-cased. Tells which words of a prompt are new to a model.

    The tokenizer cannot tell: it splits a new word into parts and single bytes, and the model
    draws something without a message.

    Attributes:
        words: in alphabetical order.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(sorted(set(words)))
        self._known = frozenset(self.words)

    @classmethod
    def count(cls, texts: Iterable[str]) -> "CaptionWords":
        """Return the `MAX_WORDS` most frequent words of texts."""
        counts = Counter(word for text in texts for word in split_words(text))
        return cls(word for word, _ in counts.most_common(MAX_WORDS))

    @classmethod
    def from_bytes(cls, data: bytes) -> "CaptionWords":
        """Return the words of a file that `to_bytes` wrote.

        Raises:
            ModelFileError: `data` is not UTF-8 text.
        """
        try:
            return cls(data.decode("utf-8").split())
        except UnicodeDecodeError:
            raise ModelFileError(
                f"expected words in UTF-8, found {len(data)} other bytes"
            ) from None

    def union(self, other: "CaptionWords") -> "CaptionWords":
        """Return the words of both."""
        return CaptionWords((*self.words, *other.words))

    def to_bytes(self) -> bytes:
        """Return the words as UTF-8 text, one a line."""
        return "".join(f"{word}\n" for word in self.words).encode()

    def unknown(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that are not in the captions, each once."""
        words = dict.fromkeys(split_words(text))
        return tuple(word for word in words if word not in self._known)

    def nearest(self, word: str) -> Sequence[str]:
        """Return at most three words of the captions that are spelt like `word`."""
        return get_close_matches(word, self.words, n=3, cutoff=0.7)


def split_words(text: str) -> list[str]:
    """Return the words, numbers and slots of a text, normalised (NFKC) and lower-cased.

    Scripts without upper and lower case, such as Chinese, are left out: many of them write no
    spaces between words.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    words = _WORD.findall(plain)
    return [word for word in words if word.lstrip("#").isdecimal() or word != word.upper()]
