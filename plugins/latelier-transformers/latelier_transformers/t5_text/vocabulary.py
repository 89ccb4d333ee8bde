"""T5's tokenizer, kept in memory: a sentencepiece model, or the one file of transformers 5."""

from collections.abc import Mapping
from typing import Any, Protocol

import sentencepiece
from latelier.contracts.errors import ModelFileError

PAD, END, UNKNOWN = 0, 1, 2
"""Ids of the padding, of the end token, and of what cannot be spelt, the same in every T5."""

SENTENCEPIECE_FILE, TOKENIZER_FILE = "spiece.model", "tokenizer.json"


class Vocabulary(Protocol):
    """Turns texts into token ids. It is immutable, and threads may share it.

    Attributes:
        files: the file that it was read from, by name.
    """

    files: Mapping[str, bytes]

    def __len__(self) -> int:
        """Return the number of tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the end token."""
        ...


def t5_vocabulary(files: Mapping[str, bytes]) -> Vocabulary | None:
    """Return the vocabulary in spiece.model, else that in tokenizer.json; None without both files.

    Raises:
        ModelFileError: the file is damaged, or is not a T5 tokenizer.
    """
    if SENTENCEPIECE_FILE in files:
        return SentencePieces(files[SENTENCEPIECE_FILE])
    return TokenizerFile(files[TOKENIZER_FILE]) if TOKENIZER_FILE in files else None


def unknown_words(vocabulary: Vocabulary, text: str) -> tuple[str, ...]:
    """Return the words of a text that the vocabulary cannot spell, each once."""
    words = dict.fromkeys(text.split())
    return tuple(word for word in words if UNKNOWN in vocabulary.encode(word))


class SentencePieces:
    """The vocabulary of spiece.model."""

    def __init__(self, model: bytes) -> None:
        """Read the file.

        Raises:
            ModelFileError: `model` is not a T5 tokenizer.
        """
        self.files: Mapping[str, bytes] = {SENTENCEPIECE_FILE: model}
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise ModelFileError(
                f"these {len(model)} bytes are not a sentencepiece vocabulary"
            ) from None
        _check(self._processor.pad_id(), self._processor.eos_id())

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the end token."""
        return list(self._processor.encode(text))


class TokenizerFile:
    """The vocabulary of tokenizer.json."""

    def __init__(self, data: bytes) -> None:
        """Read the file.

        Raises:
            ModelFileError: `data` is not a T5 tokenizer.
        """
        self.files: Mapping[str, bytes] = {TOKENIZER_FILE: data}
        self._tokenizer = _new_tokenizer(data)
        _check(*(self._tokenizer.token_to_id(token) for token in ("<pad>", "</s>")))

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the end token."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _new_tokenizer(data: bytes) -> Any:
    from tokenizers import Tokenizer

    try:
        found = Tokenizer.from_str(data.decode())
    except Exception as error:  # the library raises plain exceptions
        raise ModelFileError(f"not a {TOKENIZER_FILE}: {error}") from None
    found.no_truncation()
    found.no_padding()
    return found


def _check(*ids: int | None) -> None:
    if ids != (PAD, END):
        raise ModelFileError(f"not T5's vocabulary: padding and end are {ids}, not {(PAD, END)}")
