"""CLIP's tokenizer, kept in memory."""

import json
from collections.abc import Mapping
from typing import Any

from latelier.checkpoints.importers.tokenizer_json import ALL, with_fallback
from latelier.contracts.errors import InvalidConfigError, ModelFileError

from latelier_transformers.clip_text_inputs import ClipTextConfig
from latelier_transformers.library import transformers

VOCAB, MERGES = "vocab.json", "merges.txt"
START, END = "<|startoftext|>", "<|endoftext|>"


class ClipVocabulary:
    """Turns texts into token ids. It never changes, and threads may share it.

    Byte-pair merges (Sennrich et al. 2016, arXiv:1508.07909) of lower-cased texts. Padding is not
    its business: as a special token the '!' that pads in Stable Diffusion 2.x would break up
    every '!!' of a text.

    Raises:
        ModelFileError: a file is missing or damaged.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        named = with_fallback(files.get)
        found = {name: named(name) for name in (VOCAB, MERGES)}
        self.files = {name: data for name, data in found.items() if data is not None}
        missing = [name for name in found if name not in self.files]
        if missing:
            raise ModelFileError(
                f"a CLIP tokenizer needs {VOCAB} and {MERGES}, or {ALL}; no {missing[0]}"
            )
        try:
            self._ids: dict[str, int] = json.loads(self.files[VOCAB])
            self._tokenizer = _tokenizer(self._ids, self.files[MERGES].decode())
        except Exception as error:  # what the tokenizers library raises has no class of its own
            raise ModelFileError(f"not a CLIP tokenizer's {VOCAB} and {MERGES}: {error}") from None

    def check(self, config: ClipTextConfig) -> None:
        """Compare its ids with those of a configuration.

        Raises:
            InvalidConfigError: they differ, or there are more than the configuration has room for.
        """
        for token, field in ((START, "bos_token_id"), (END, "eos_token_id")):
            number, wanted = self._ids.get(token), getattr(config, field)
            if number != wanted:
                raise InvalidConfigError(
                    f"'{token}' is {number} in the tokenizer, not {field}={wanted}"
                )
        if max(self._ids.values()) >= config.vocab_size:
            raise InvalidConfigError(
                f"the tokenizer's ids go up to {max(self._ids.values())}, "
                f"but vocab_size={config.vocab_size}"
            )

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without start and end."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _tokenizer(ids: dict[str, int], merges: str) -> Any:
    """Return the library's tokenizer proper, which unlike its wrapper has no state to share."""
    pairs = [tuple(line.split()) for line in merges.splitlines() if line.strip()]
    if pairs and pairs[0][0] == "#version:":
        pairs = pairs[1:]
    return transformers().CLIPTokenizer(vocab=ids, merges=pairs).backend_tokenizer
