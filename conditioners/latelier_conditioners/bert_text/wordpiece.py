"""WordPiece, the tokenizer of BERT (Devlin et al. 2019, arXiv:1810.04805), uncased."""

import re
import unicodedata
from collections.abc import Iterator

from latelier.contracts.errors import ModelFileError

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"

_SPECIAL = (PAD, UNKNOWN, START, END, "[MASK]")

MAX_WORD_LENGTH = 100
"""A word of more characters is unknown."""

_HAN = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""Unicode blocks of Han characters. Each character is a word of its own, as published."""


class WordPiece:
    """Turns texts into the token ids of bert-base-uncased.

    It is immutable, and threads may share it. The ids are the line numbers of `vocab.txt`.
    """

    def __init__(self, vocabulary: bytes) -> None:
        """Read a `vocab.txt`: one token a line, in UTF-8.

        Raises:
            ModelFileError: `vocabulary` is not UTF-8 text, or lacks one of the special tokens.
        """
        self.vocabulary = vocabulary
        try:
            lines = vocabulary.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
        except UnicodeDecodeError:
            raise ModelFileError(
                f"these {len(vocabulary)} bytes are not a WordPiece vocabulary: not UTF-8 text"
            ) from None
        self._ids = {token: number for number, token in enumerate(lines)}
        self._size = len(lines)
        missing = [token for token in (PAD, UNKNOWN, START, END) if token not in self._ids]
        if missing:
            raise ModelFileError(
                f"these {len(lines)} lines are not a WordPiece vocabulary: {missing[0]} is missing"
            )
        known = [re.escape(token) for token in _SPECIAL if token in self._ids]
        self._special = re.compile(f"({'|'.join(known)})")

    def __len__(self) -> int:
        return self._size

    @property
    def pad(self) -> int:
        """Id of the padding token."""
        return self._ids[PAD]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text between those of [CLS] and [SEP].

        A special token in the text, such as "[MASK]", stands for itself, as in the published
        models.
        """
        pieces = [START, *self._pieces(text), END]
        return [self._ids[piece] for piece in pieces]

    def unknown(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that become [UNK], each once."""
        found = dict.fromkeys(split_words(text))
        return tuple(word for word in found if self._pieces_of_word(word) == [UNKNOWN])

    def _pieces(self, text: str) -> Iterator[str]:
        for index, part in enumerate(self._special.split(text)):
            if index % 2:
                yield part
            else:
                for word in split_words(part):
                    yield from self._pieces_of_word(word)

    def _pieces_of_word(self, word: str) -> list[str]:
        """Return the longest prefix in the vocabulary, then that of the rest, and so on."""
        pieces: list[str] = []
        start = 0
        while start < len(word) <= MAX_WORD_LENGTH:
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self._ids), None)
            if end is None:
                break
            pieces.append(prefix + word[start:end])
            start = end
        return pieces if start == len(word) else [UNKNOWN]


def split_words(text: str) -> list[str]:
    """Return the words of a text, lower-cased and without accents.

    Each punctuation mark and each Han character is a word.
    """
    cleaned = "".join(_clean(character) for character in text)
    letters = (c for c in unicodedata.normalize("NFD", cleaned) if unicodedata.category(c) != "Mn")
    # letter by letter: str.lower treats a sigma at the end of a word differently
    lowered = (c.lower() for c in letters)
    return "".join(f" {c} " if _is_punctuation(c) else c for c in lowered).split()


def _clean(character: str) -> str:
    """Return a character normalised for splitting: plain spaces, spaces around Han characters."""
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co"):
        return ""
    if character.isspace():
        return " "
    return f" {character} " if _is_han(ord(character)) else character


def _is_han(code: int) -> bool:
    return any(first <= code <= last for first, last in _HAN)


def _is_punctuation(character: str) -> bool:
    """Return whether a character is punctuation in Unicode, or an ASCII symbol such as "$"."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")
