"""The text conditioner: a stream of encoded tokens."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidConfigError
from latelier.nn.layers import EncoderLayer
from latelier_conditioners.text.inputs import WORDS_FILE, Text, TextConfig, check_length
from latelier_conditioners.text.tokenizer import PAD, START, Tokenizer
from latelier_conditioners.text.words import CaptionWords

VOCABULARY_FILE = "vocabulary.model"


class TextConditioner(Conditioner[TextConfig]):
    """Encodes texts with a vocabulary and a transformer, both trained with the denoiser.

    Padding is masked. The unconditional part is the empty text: its start token alone.
    """

    Input = Text

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self._tokenizer: Tokenizer | None = None
        self._words = CaptionWords(())
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.position_embedding = nn.Embedding(config.max_length, config.width)
        self.layers = nn.ModuleList(
            EncoderLayer(config.width, config.heads) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.position_embedding.weight, std=0.02)

    def fit(self, inputs: Iterable[Text | str]) -> None:
        """Learn the vocabulary from captions.

        Raises:
            InvalidConfigError: `inputs` is empty, or needs more tokens than `vocab_size`.
        """
        captions = [value if isinstance(value, str) else value.text for value in inputs]
        self._set_tokenizer(Tokenizer.learn(captions, self.config.vocab_size))
        self._words = CaptionWords.count(captions)

    def extend(self, inputs: Iterable[Text | str]) -> None:
        """Add the words of captions to those that are known, if they are; tokens stay the same."""
        if self._words.words:
            captions = (value if isinstance(value, str) else value.text for value in inputs)
            self._words = self._words.union(CaptionWords.count(captions))

    def check(self, value: Text, /) -> Sequence[str]:
        """Return a warning that lists the words of a text that are in no caption."""
        unknown = self._words.unknown(value.text) if self._words.words else ()
        if not unknown:
            return ()
        listed = ", ".join(f"'{word}'{self._hint(word)}" for word in unknown)
        return (f"the model was trained without these words of the text: {listed}",)

    def assets(self) -> dict[str, bytes]:
        if self._tokenizer is None:
            return {}
        words = {WORDS_FILE: self._words.to_bytes()} if self._words.words else {}
        return {VOCABULARY_FILE: self._tokenizer.model, **words}

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Restore the vocabulary, and the words of its captions if they are there.

        Raises:
            ModelFileError: a file is damaged.
            InvalidConfigError: the vocabulary is larger than the configuration's `vocab_size`.
        """
        if VOCABULARY_FILE in assets:
            self._set_tokenizer(Tokenizer(assets[VOCABULARY_FILE]))
        if WORDS_FILE in assets:
            self._words = CaptionWords.from_bytes(assets[WORDS_FILE])

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_length) int64 and "mask" (B, max_length) bool.

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: the conditioner has no vocabulary yet.
        """
        length = self.config.max_length
        rows = [self._tokenize(value.text) for value in inputs]
        padded = [[*ids, *[PAD] * (length - len(ids))] for ids in rows]
        tokens = torch.tensor(padded, dtype=torch.int64).view(-1, length)
        mask = torch.arange(length) < torch.tensor([len(ids) for ids in rows])[:, None]
        return {"tokens": tokens, "mask": mask}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_length, width) under its mask."""
        return ConditionPart(Stream(self._encode(batch["tokens"], batch["mask"]), batch["mask"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for `rows` rows."""
        device = self.token_embedding.weight.device
        tokens = torch.full((1, self.config.max_length), PAD, device=device)
        tokens[0, 0] = START
        mask = tokens == START
        encoded = self._encode(tokens, mask)
        return ConditionPart(Stream(encoded.expand(rows, -1, -1), mask.expand(rows, -1)))

    def _encode(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (B, N, width) of ids (B, N) under a mask (B, N)."""
        x = self.token_embedding(tokens) + self.position_embedding.weight
        for layer in self.layers:
            x = layer(x, mask[:, None, None])
        return self.norm(x)

    def _tokenize(self, text: str) -> list[int]:
        if self._tokenizer is None:
            raise InvalidConfigError(
                "this text conditioner has no vocabulary: load one with its pipeline, "
                "or learn one from captions with fit()"
            )
        ids = self._tokenizer.encode(text)
        check_length(text, len(ids) - 1, self.config.max_length - 1)
        return ids

    def _set_tokenizer(self, tokenizer: Tokenizer) -> None:
        if len(tokenizer) > self.config.vocab_size:
            raise InvalidConfigError(
                f"the vocabulary has {len(tokenizer)} tokens, "
                f"more than vocab_size={self.config.vocab_size}"
            )
        self._tokenizer = tokenizer

    def _hint(self, word: str) -> str:
        nearest = ", ".join(f"'{each}'" for each in self._words.nearest(word))
        return f" (nearest: {nearest})" if nearest else ""
