"""T5's tokenizer, kept in memory: a sentencepiece model, or the one file of transformers 5."""

from collections.abc import Mapping
from typing import Any, Protocol

import sentencepiece
from latelier.contracts.errors import ModelFileError

PAD, END = 0, 1
"""Ids of the tokens that are no text, the same in every T5."""

MODEL, ALL = "spiece.model", "tokenizer.json"


class Vocabulary(Protocol):
    """Turns texts into token ids. It never changes, and threads may share it."""

    files: Mapping[str, bytes]
    """What it was made of, by name."""

    def __len__(self) -> int:
        """Return the number of tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the end token."""
        ...


def t5_vocabulary(files: Mapping[str, bytes]) -> Vocabulary | None:
    """Return the vocabulary in files: of spiece.model, else of tokenizer.json; None without either.

    Raises:
        ModelFileError: it is damaged, or not T5's.
    """
    if MODEL in files:
        return SentencePieces(files[MODEL])
    return TokenizerFile(files[ALL]) if ALL in files else None


class SentencePieces:
    """The vocabulary of spiece.model.

    Raises:
        ModelFileError: the bytes are not T5's tokenizer.
    """

    def __init__(self, model: bytes) -> None:
        self.files: Mapping[str, bytes] = {MODEL: model}
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
        ids: list[int] = self._processor.encode(text)
        return ids


class TokenizerFile:
    """The vocabulary of tokenizer.json.

    Raises:
        ModelFileError: the bytes are not T5's tokenizer.
    """

    def __init__(self, data: bytes) -> None:
        self.files: Mapping[str, bytes] = {ALL: data}
        self._tokenizer = _tokenizer(data)
        _check(*(self._tokenizer.token_to_id(token) for token in ("<pad>", "</s>")))

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the end token."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _tokenizer(data: bytes) -> Any:
    from tokenizers import Tokenizer

    try:
        found = Tokenizer.from_str(data.decode())
    except Exception as error:  # what the library raises has no class of its own
        raise ModelFileError(f"not a {ALL}: {error}") from None
    found.no_truncation()
    found.no_padding()
    return found


def _check(*ids: int | None) -> None:
    if ids != (PAD, END):
        raise ModelFileError(f"not T5's vocabulary: padding and end are {ids}, not {(PAD, END)}")
