"""The text conditioner: a stream of encoded tokens."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.text.inputs import Text, TextConfig, check_fits
from latelier_conditioners.text.vocabulary import PAD, START, Vocabulary

ASSET = "vocabulary.model"

MASKED = -30000.0
"""Logit of a token that does not count: its weight is exactly 0, in 16-bit formats too."""


class TextConditioner(Conditioner):
    """Encodes texts with a vocabulary and a transformer, both trained with the denoiser.

    Padding is masked. The unconditional part is the empty text: its start token alone.
    """

    Input = Text

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self._text = config
        self._vocabulary: Vocabulary | None = None
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
            InvalidConfigError: no vocabulary of the configured size can be learnt from them.
        """
        captions = (value if isinstance(value, str) else value.text for value in inputs)
        self._set(Vocabulary.learnt(captions, self._text.vocab_size))

    def assets(self) -> dict[str, bytes]:
        """Return the vocabulary, if it has one."""
        return {} if self._vocabulary is None else {ASSET: self._vocabulary.model}

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Take back a vocabulary.

        Raises:
            ModelFileError: it is damaged.
            InvalidConfigError: it is larger than the configuration says.
        """
        if ASSET in assets:
            self._set(Vocabulary(assets[ASSET]))

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_length) int64, and "mask", of the same shape, bool.

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: there is no vocabulary yet.
        """
        length = self._text.max_length
        tokens = torch.full((len(inputs), length), PAD)
        mask = torch.zeros(len(inputs), length, dtype=torch.bool)
        for row, value in enumerate(inputs):
            ids = self._ids(value.text)
            tokens[row, : len(ids)] = torch.tensor(ids)
            mask[row, : len(ids)] = True
        return {"tokens": tokens, "mask": mask}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_length, width) under its mask."""
        return ConditionPart(Stream(self._encoded(batch["tokens"], batch["mask"]), batch["mask"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for that many rows."""
        device = self.token_embedding.weight.device
        tokens = torch.full((1, self._text.max_length), PAD, device=device)
        tokens[0, 0] = START
        mask = tokens == START
        encoded = self._encoded(tokens, mask)
        return ConditionPart(Stream(encoded.expand(rows, -1, -1), mask.expand(rows, -1)))

    def _encoded(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (B, N, width) of ids (B, N) under a mask (B, N)."""
        x = self.token_embedding(tokens) + self.position_embedding.weight
        for layer in self.layers:
            x = layer(x, mask[:, None, None])
        encoded: Tensor = self.norm(x)
        return encoded

    def _set(self, vocabulary: Vocabulary) -> None:
        if len(vocabulary) > self._text.vocab_size:
            raise InvalidConfigError(
                f"the vocabulary has {len(vocabulary)} tokens, "
                f"more than vocab_size={self._text.vocab_size}"
            )
        self._vocabulary = vocabulary

    def _ids(self, text: str) -> list[int]:
        if self._vocabulary is None:
            raise InvalidConfigError(
                "this text conditioner has no vocabulary: load one with its pipeline, "
                "or learn one from captions with fit()"
            )
        ids = self._vocabulary.encode(text)
        check_fits(text, len(ids) - 1, self._text.max_length - 1)
        return ids


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward net, each pre-normed and residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (B, N, D); `mask` (B, 1, 1, N) is true where a token may be attended to."""
        b, n, width = x.shape
        qkv = self.to_qkv(self.norm1(x)).view(b, n, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, N, d)
        # spelt out: texts are short, and on a CPU the fused kernel's 16-bit gradient is slow
        logits = (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)
        attended = logits.masked_fill(~mask, MASKED).softmax(dim=3) @ v
        x = x + self.to_out(attended.transpose(1, 2).flatten(2))
        out: Tensor = x + self.feed_forward(self.norm2(x))
        return out
