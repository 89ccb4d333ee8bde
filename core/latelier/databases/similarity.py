"""How alike two words are spelt: an embedding of texts that has no weights."""

from collections import Counter
from collections.abc import Mapping
from math import sqrt

_LENGTH = 3


class SpellingIndex:
    """Finds the phrase that is spelt most like a word.

    A text is embedded as the counts of its sequences of three letters, with a mark at its
    beginning and end (Cavnar and Trenkle 1994, N-gram-based text categorization). The similarity
    is the cosine.

    Args:
        phrases: text -> the entry that it stands for.
    """

    def __init__(self, phrases: Mapping[str, int]) -> None:
        self._entries = phrases
        self._grams = {text: _count_grams(text) for text in phrases}

    def nearest(self, text: str, threshold: float) -> int | None:
        """Return the entry of the most similar phrase; None if its cosine is below `threshold`."""
        grams = _count_grams(text)
        best = max(self._grams, key=lambda each: _cosine(grams, self._grams[each]), default=None)
        if best is None or _cosine(grams, self._grams[best]) < threshold:
            return None
        return self._entries[best]


def _count_grams(text: str) -> Counter[str]:
    marked = f"^{text}$"
    return Counter(marked[k : k + _LENGTH] for k in range(len(marked) - _LENGTH + 1))


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    product = sum(count * other[gram] for gram, count in one.items())
    if not product:
        return 0.0
    return product / sqrt(sum(n * n for n in one.values()) * sum(n * n for n in other.values()))
