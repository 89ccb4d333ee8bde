"""The paper's text conditioner: WordPiece tokens through a transformer without masks."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidConfigError
from latelier.nn.transformer_encoder import TransformerEncoder
from latelier_conditioners.bert_text.inputs import BertTextConfig
from latelier_conditioners.bert_text.wordpiece import WordPiece
from latelier_conditioners.text.inputs import Text, check_length

VOCABULARY_FILE = "vocab.txt"


class BertTextConditioner(Conditioner[BertTextConfig]):
    """Encodes texts as the published text-to-image models do (arXiv:2112.10752, section 4.3.1).

    Every text is padded to one length and nothing is masked: those models were trained with the
    padding as part of the condition. The unconditional part is the encoding of the empty text.

    The vocabulary is bert-base-uncased's `vocab.txt`. The checkpoints do not contain it. Give it
    with `set_assets`; from then on it is saved with the pipeline.
    """

    Input = Text

    def __init__(self, config: BertTextConfig) -> None:
        super().__init__(config)
        self._tokenizer: WordPiece | None = None
        self.transformer = TransformerEncoder(
            config.n_embed, config.n_layer, config.vocab_size, config.max_seq_len
        )

    def fit(self, inputs: Iterable[Text | str]) -> None:  # noqa: ARG002
        """Check before training that the conditioner has a vocabulary. It learns none.

        Raises:
            InvalidConfigError: the conditioner has no vocabulary.
        """
        self._require_tokenizer()

    def check(self, value: Text, /) -> Sequence[str]:
        """Return a warning that lists the words of a text that the vocabulary cannot spell."""
        unknown = () if self._tokenizer is None else self._tokenizer.unknown(value.text)
        if not unknown:
            return ()
        listed = ", ".join(f"'{word}'" for word in unknown)
        return (f"the vocabulary cannot spell these words of the text: {listed}",)

    def assets(self) -> dict[str, bytes]:
        return {} if self._tokenizer is None else {VOCABULARY_FILE: self._tokenizer.vocabulary}

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Set the vocabulary, "vocab.txt" as bert-base-uncased publishes it.

        Raises:
            ModelFileError: the file is damaged.
            InvalidConfigError: the vocabulary has another size than `vocab_size`.
        """
        if VOCABULARY_FILE not in assets:
            return
        tokenizer = WordPiece(assets[VOCABULARY_FILE])
        if len(tokenizer) != self.config.vocab_size:
            raise InvalidConfigError(
                f"the vocabulary has {len(tokenizer)} tokens, not "
                f"vocab_size={self.config.vocab_size}; the published models take the vocab.txt of "
                "bert-base-uncased, which has 30522"
            )
        self._tokenizer = tokenizer

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_seq_len) int64, padded.

        Raises:
            InvalidInputError: a text has too many tokens. (The original code truncates it.)
            InvalidConfigError: the conditioner has no vocabulary.
        """
        rows = [self._tokenize(value.text) for value in inputs]
        tokens = torch.tensor(rows, dtype=torch.int64)
        return {"tokens": tokens.view(len(rows), self.config.max_seq_len)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_seq_len, n_embed), unmasked."""
        return ConditionPart(Stream(self.transformer(batch["tokens"])))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for `rows` rows.

        Raises:
            InvalidConfigError: the conditioner has no vocabulary.
        """
        device = self.transformer.norm.weight.device
        encoded = self.transformer(torch.tensor([self._tokenize("")], device=device))
        return ConditionPart(Stream(encoded.expand(rows, -1, -1)))

    def _require_tokenizer(self) -> WordPiece:
        if self._tokenizer is None:
            raise InvalidConfigError(
                "this text conditioner has no vocabulary, and cannot learn one: give it the "
                "vocab.txt of bert-base-uncased, either next to the weights of an import, by "
                "`latelier models build --asset text=vocab.txt`, or with "
                "set_assets({'vocab.txt': its bytes})"
            )
        return self._tokenizer

    def _tokenize(self, text: str) -> list[int]:
        tokenizer = self._require_tokenizer()
        ids = tokenizer.encode(text)
        length = self.config.max_seq_len
        check_length(text, len(ids) - 2, length - 2)
        return ids + [tokenizer.pad] * (length - len(ids))
