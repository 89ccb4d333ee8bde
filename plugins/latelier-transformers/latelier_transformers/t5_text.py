"""The T5 text conditioner."""

from collections.abc import Mapping, Sequence

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.text.inputs import Text, check_length
from torch import Tensor

from latelier_transformers.library import transformers
from latelier_transformers.t5_text_inputs import T5TextConfig
from latelier_transformers.t5_vocabulary import END, PAD, Vocabulary, t5_vocabulary


class T5TextConditioner(Conditioner):
    """Encodes texts with the encoder of T5 (Raffel et al. 2020, arXiv:1910.10683).

    Padding is masked. The unconditional part is the empty text: its end token alone.
    """

    Input = Text

    def __init__(self, config: T5TextConfig) -> None:
        super().__init__(config)
        self._t5 = config
        self._vocabulary: Vocabulary | None = None
        library = transformers()
        fields = config.model_dump(exclude={"max_length"})
        model = library.T5EncoderModel(library.T5Config(**fields, dropout_rate=0.0))
        # Its token table has two names in the model; the stack knows it by one.
        self.encoder = model.encoder

    def assets(self) -> dict[str, bytes]:
        """Return spiece.model or tokenizer.json, if it has a tokenizer."""
        return {} if self._vocabulary is None else dict(self._vocabulary.files)

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Take a tokenizer: the file spiece.model, or else tokenizer.json, published with T5.

        Raises:
            ModelFileError: it is damaged, or not T5's.
            InvalidConfigError: it has more tokens than the configuration says.
        """
        vocabulary = t5_vocabulary(assets)
        if vocabulary is None:
            return
        if len(vocabulary) > self._t5.vocab_size:
            raise InvalidConfigError(
                f"the tokenizer has {len(vocabulary)} tokens, "
                f"more than vocab_size={self._t5.vocab_size}"
            )
        self._vocabulary = vocabulary

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_length) int64, filled up with 0.

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: there is no tokenizer yet.
        """
        rows = [self._row(value.text) for value in inputs]
        return {"tokens": torch.tensor(rows, dtype=torch.int64).view(-1, self._t5.max_length)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_length, d_model) under the mask of its padding."""
        mask = batch["tokens"] != PAD
        return ConditionPart(Stream(self._encoded(batch["tokens"], mask), mask))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for that many rows."""
        device = self.encoder.final_layer_norm.weight.device
        tokens = torch.tensor([self._filled([])], device=device)
        mask = tokens != PAD
        encoded = self._encoded(tokens, mask)
        return ConditionPart(Stream(encoded.expand(rows, -1, -1), mask.expand(rows, -1)))

    def _encoded(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (B, N, d_model) of ids (B, N) under a mask (B, N)."""
        encoded: Tensor = self.encoder(tokens, attention_mask=mask).last_hidden_state
        return encoded

    def _row(self, text: str) -> list[int]:
        if self._vocabulary is None:
            raise InvalidConfigError(
                "this T5 text conditioner has no tokenizer: load one with its pipeline, or give "
                "it T5's spiece.model, or tokenizer.json, with set_assets()"
            )
        ids = self._vocabulary.encode(text)
        check_length(text, len(ids), self._t5.max_length - 1)
        return self._filled(ids)

    def _filled(self, ids: Sequence[int]) -> list[int]:
        """Return the ids of a text with its end, filled up with padding."""
        return [*ids, END] + [PAD] * (self._t5.max_length - len(ids) - 1)
