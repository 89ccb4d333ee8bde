"""CLIP's tokenizer, kept in memory."""

import json
from collections.abc import Mapping
from typing import Any, Self

from latelier.checkpoints.importers.tokenizer_json import TOKENIZER_JSON, with_fallback
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.messages import error_message
from tokenizers import AddedToken

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.library import transformers

VOCAB, MERGES, ADDED = "vocab.json", "merges.txt", "added_tokens.json"
START, END = "<|startoftext|>", "<|endoftext|>"


class ClipVocabulary:
    """Turns texts into token ids. It is immutable, and threads may share it.

    Byte-pair merges (Sennrich et al. 2016, arXiv:1508.07909) of lower-cased texts. It does not pad:
    as a special token, the '!' that pads in Stable Diffusion 2.x would split every '!!' of a text.

    A word of textual inversion may stand for several tokens: WORD, WORD_1, WORD_2 ... with ids that
    follow each other, as diffusers names them.

    Attributes:
        files: vocab.json and merges.txt, and added_tokens.json if there are words that textual
            inversion added (token -> id, for ids after those of vocab.json).
        words: the added tokens, in lower case, as texts are.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Read the files of a tokenizer.

        Raises:
            ModelFileError: a file is missing or damaged.
        """
        named = with_fallback(files.get)
        found = {name: named(name) for name in (VOCAB, MERGES)}
        self.files = {name: data for name, data in found.items() if data is not None}
        if ADDED in files:
            self.files[ADDED] = files[ADDED]
        missing = [name for name in found if name not in self.files]
        if missing:
            raise ModelFileError(
                f"a CLIP tokenizer needs {VOCAB} and {MERGES}, or {TOKENIZER_JSON}; no {missing[0]}"
            )
        try:
            self._ids = _read_ids(self.files[VOCAB])
            self._tokenizer = _new_tokenizer(self._ids, self.files[MERGES].decode())
            self._add_tokens(_read_ids(self.files.get(ADDED, b"{}")))
        except Exception as error:  # the tokenizers library raises plain exceptions
            reason = error_message(error)
            raise ModelFileError(f"not a CLIP tokenizer's {VOCAB} and {MERGES}: {reason}") from None

    def check(self, config: ClipTextConfig) -> None:
        """Compare the token ids with those of a configuration.

        Raises:
            InvalidConfigError: the ids differ, or the largest is not below `vocab_size`.
        """
        for token, field in ((START, "bos_token_id"), (END, "eos_token_id")):
            number, expected = self._ids.get(token), getattr(config, field)
            if number != expected:
                raise InvalidConfigError(
                    f"'{token}' is {number} in the tokenizer, not {field}={expected}"
                )
        if max(self._ids.values()) >= config.vocab_size:
            raise InvalidConfigError(
                f"the tokenizer's ids go up to {max(self._ids.values())}, "
                f"but vocab_size={config.vocab_size}"
            )

    @property
    def ids(self) -> Mapping[str, int]:
        """The id of each token."""
        return self._ids

    def __len__(self) -> int:
        """Return the number of rows that a token table needs."""
        return max(self._ids.values()) + 1

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without start and end."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [each for number in ids for each in self._tokens_of.get(number, (number,))]

    def with_words(self, words: Mapping[str, int]) -> Self:
        """Return a vocabulary with more words, each for a number of tokens.

        Raises:
            InvalidConfigError: a word is empty, there already, or read as a token of another one.
        """
        added = json.loads(self.files.get(ADDED, b"{}"))
        number = len(self)
        expected = dict(self._tokens_of)
        for word, count in words.items():
            expected[number] = tuple(range(number, number + count))
            for token in _token_names(word, count):
                if not token.strip() or self._tokenizer.token_to_id(token) is not None:
                    raise InvalidConfigError(
                        f"expected a word that the tokenizer lacks, got '{token}': choose another "
                        "name; the word of an embedding is the name of its file, unless the file "
                        "says its own"
                    )
                added[token] = number
                number += 1
        extended = type(self)({**self.files, ADDED: json.dumps(added).encode()})
        for first, ids in expected.items():
            found = extended._tokens_of[first]
            if found != ids:  # WORD was followed by a word that is called WORD_1
                word, token = map(extended._tokenizer.id_to_token, (first, found[len(ids)]))
                raise InvalidConfigError(
                    f"the word '{token}' would be read as a token of '{word}': choose another name"
                )
        return extended

    def _add_tokens(self, added: Mapping[str, int]) -> None:
        """Add words to the tokenizer, and check that it gives them the ids that files state."""
        for token, number in sorted(added.items(), key=lambda item: item[1]):
            self._tokenizer.add_tokens([_new_token(token)])
            expected = self._tokenizer.token_to_id(token)
            if number != expected:
                raise ValueError(f"the id of '{token}' is {number}, expected {expected}")
            self._ids[token] = number
        self.words = frozenset(map(str.lower, added))
        self._tokens_of = {number: _following(token, added) for token, number in added.items()}


def _token_names(word: str, count: int) -> list[str]:
    return [word, *(f"{word}_{number}" for number in range(1, count))]


def _following(word: str, added: Mapping[str, int]) -> tuple[int, ...]:
    """Return the ids of all tokens that an added word stands for."""
    first = added[word]
    ids = [first]
    while added.get(f"{word}_{len(ids)}") == first + len(ids):
        ids.append(first + len(ids))
    return tuple(ids)


def _new_token(token: str) -> AddedToken:
    """Return a token that is found in texts; a word of letters not inside of other words."""
    is_word = token[:1].isalnum() and token[-1:].isalnum()
    return AddedToken(token, single_word=is_word, normalized=True)


def _read_ids(data: bytes) -> dict[str, int]:
    """Return the tokens of a JSON file with their ids.

    Raises:
        ValueError: the file holds something else, or two tokens have one id.
    """
    ids = json.loads(data)
    if not isinstance(ids, dict):
        raise ValueError(f"expected tokens with their ids, got {type(ids).__name__}")
    for token, number in ids.items():
        if type(number) is not int or not 0 <= number < 2**31:
            raise ValueError(f"expected a whole number as the id of '{token}', got {number!r}")
    if len(set(ids.values())) < len(ids):
        raise ValueError("two tokens have the same id")
    return ids


def _new_tokenizer(ids: dict[str, int], merges: str) -> Any:
    """Return the inner tokenizer of the library, which unlike its wrapper has no mutable state."""
    pairs = [tuple(line.split()) for line in merges.splitlines() if line.strip()]
    if pairs and pairs[0][0] == "#version:":
        pairs = pairs[1:]
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(f"expected two tokens in a line of {MERGES}, got {' '.join(pair)!r}")
    return transformers().CLIPTokenizer(vocab=ids, merges=pairs).backend_tokenizer
