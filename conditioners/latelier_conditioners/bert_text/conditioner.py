"""The paper's text conditioner: WordPiece tokens through a transformer without masks."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.bert_text.inputs import BertTextConfig
from latelier_conditioners.bert_text.wordpiece import WordPiece
from latelier_conditioners.text.inputs import Text, check_fits
from latelier_conditioners.transformer_encoder import TransformerEncoder

ASSET = "vocab.txt"


class BertTextConditioner(Conditioner):
    """Encodes texts as the published text-to-image models do (arXiv:2112.10752, section 4.3.1).

    Every text is padded to one length and nothing is masked: padding is part of the condition, as
    those models learnt it. The unconditional part is the encoding of the empty text.

    The vocabulary is bert-base-uncased's `vocab.txt`. The checkpoints do not contain it; it is
    given by `set_assets`, and from then on saved with the pipeline.
    """

    Input = Text

    def __init__(self, config: BertTextConfig) -> None:
        super().__init__(config)
        self._text = config
        self._tokenizer: WordPiece | None = None
        self.transformer = TransformerEncoder(
            config.n_embed, config.n_layer, config.vocab_size, config.max_seq_len
        )

    def fit(self, inputs: Iterable[Text | str]) -> None:  # noqa: ARG002
        """Check, before training begins, that there is a vocabulary: none is learnt.

        Raises:
            InvalidConfigError: there is none.
        """
        self._known()

    def assets(self) -> dict[str, bytes]:
        """Return the vocabulary, if it has one."""
        return {} if self._tokenizer is None else {ASSET: self._tokenizer.vocabulary}

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Take a vocabulary, a file as bert-base-uncased publishes it, under "vocab.txt".

        Raises:
            ModelFileError: it is damaged.
            InvalidConfigError: it is not of the configured size.
        """
        if ASSET not in assets:
            return
        tokenizer = WordPiece(assets[ASSET])
        if len(tokenizer) != self._text.vocab_size:
            raise InvalidConfigError(
                f"the vocabulary has {len(tokenizer)} tokens, not "
                f"vocab_size={self._text.vocab_size}; the published models take the vocab.txt of "
                "bert-base-uncased, which has 30522"
            )
        self._tokenizer = tokenizer

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_seq_len) int64, padded.

        Raises:
            InvalidInputError: a text has too many tokens. (The original cuts it off there.)
            InvalidConfigError: there is no vocabulary.
        """
        rows = [self._ids(value.text) for value in inputs]
        tokens = torch.tensor(rows, dtype=torch.int64)
        return {"tokens": tokens.view(len(rows), self._text.max_seq_len)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_seq_len, n_embed), unmasked."""
        return ConditionPart(Stream(self.transformer(batch["tokens"])))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for that many rows.

        Raises:
            InvalidConfigError: there is no vocabulary.
        """
        device = self.transformer.norm.weight.device
        encoded = self.transformer(torch.tensor([self._ids("")], device=device))
        return ConditionPart(Stream(encoded.expand(rows, -1, -1)))

    def _known(self) -> WordPiece:
        if self._tokenizer is None:
            raise InvalidConfigError(
                "this text conditioner has no vocabulary, and learns none: give it the vocab.txt "
                "of bert-base-uncased, beside the weights of an import, by `latelier models build "
                "--asset text=vocab.txt`, or with set_assets({'vocab.txt': its bytes})"
            )
        return self._tokenizer

    def _ids(self, text: str) -> list[int]:
        tokenizer = self._known()
        ids = tokenizer.encode(text)
        length = self._text.max_seq_len
        check_fits(text, len(ids) - 2, length - 2)
        return ids + [tokenizer.pad] * (length - len(ids))
