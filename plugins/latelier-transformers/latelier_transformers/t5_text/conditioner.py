"""The T5 text conditioner."""

from collections.abc import Mapping, Sequence

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.text.inputs import Text, check_length
from torch import Tensor

from latelier_transformers.library import transformers
from latelier_transformers.t5_text.inputs import T5TextConfig
from latelier_transformers.t5_text.vocabulary import (
    END,
    PAD,
    Vocabulary,
    t5_vocabulary,
    unknown_words,
)


class T5TextConditioner(Conditioner[T5TextConfig]):
    """Encodes texts with the encoder of T5 (Raffel et al. 2020, arXiv:1910.10683).

    The null part is the empty text: its end token, and padding.
    """

    Input = Text

    def __init__(self, config: T5TextConfig) -> None:
        super().__init__(config)
        self._tokenizer: Vocabulary | None = None
        library = transformers()
        model = library.T5EncoderModel(library.T5Config(**config.network(), dropout_rate=0.0))
        # The model has two names for its token table; the encoder stack has one.
        self.encoder = model.encoder

    def assets(self) -> dict[str, bytes]:
        """Return spiece.model or tokenizer.json, if it has a tokenizer."""
        return {} if self._tokenizer is None else dict(self._tokenizer.files)

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Set the tokenizer: spiece.model as published with T5, or tokenizer.json.

        Raises:
            ModelFileError: the file is damaged, or is not a T5 tokenizer.
            InvalidConfigError: the tokenizer has more tokens than `vocab_size`.
        """
        tokenizer = t5_vocabulary(assets)
        if tokenizer is None:
            return
        if len(tokenizer) > self.config.vocab_size:
            raise InvalidConfigError(
                f"the tokenizer has {len(tokenizer)} tokens, "
                f"more than vocab_size={self.config.vocab_size}"
            )
        self._tokenizer = tokenizer

    def check(self, value: Text, /) -> Sequence[str]:
        """Return a warning that lists the words of a text that the tokenizer cannot spell."""
        unknown = () if self._tokenizer is None else unknown_words(self._tokenizer, value.text)
        if not unknown:
            return ()
        listed = ", ".join(f"'{word}'" for word in unknown)
        return (f"the vocabulary cannot spell these words of the text: {listed}",)

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_length) int64, padded with 0.

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: the conditioner has no tokenizer yet.
        """
        rows = [self._tokenize(value.text) for value in inputs]
        return {"tokens": torch.tensor(rows, dtype=torch.int64).view(-1, self.config.max_length)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_length, d_model), its padding masked if it is not kept."""
        return ConditionPart(self._encode(batch["tokens"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for `rows` rows."""
        device = self.encoder.final_layer_norm.weight.device
        stream = self._encode(torch.tensor([self._pad([])], device=device))
        mask = None if stream.mask is None else stream.mask.expand(rows, -1)
        return ConditionPart(Stream(stream.tokens.expand(rows, -1, -1), mask))

    def _encode(self, tokens: Tensor) -> Stream:
        """Return the stream (B, N, d_model) of ids (B, N)."""
        mask = tokens != PAD if self.config.padding == "masked" else None
        return Stream(self.encoder(tokens, attention_mask=mask).last_hidden_state, mask)

    def _tokenize(self, text: str) -> list[int]:
        if self._tokenizer is None:
            raise InvalidConfigError(
                "this T5 text conditioner has no tokenizer: load one with its pipeline, or give "
                "it T5's spiece.model, or tokenizer.json, with set_assets()"
            )
        ids = self._tokenizer.encode(text)
        check_length(text, len(ids), self.config.max_length - 1)
        return self._pad(ids)

    def _pad(self, ids: Sequence[int]) -> list[int]:
        """Return the ids of a text and the end token, padded."""
        return [*ids, END] + [PAD] * (self.config.max_length - len(ids) - 1)
