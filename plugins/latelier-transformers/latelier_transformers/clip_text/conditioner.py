"""The CLIP text conditioner."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.contracts.errors import InvalidConfigError
from latelier.nn.packed import Linear
from latelier.nn.stored_weights import find_compute_dtype
from latelier.nn.views import replace_weights
from latelier_conditioners.text.inputs import Text
from torch import Tensor, nn

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.network import build_network, run_layers, take_end
from latelier_transformers.clip_text.prompts.rules import RULES
from latelier_transformers.clip_text.prompts.unsupported import find_unsupported
from latelier_transformers.clip_text.published_vocabulary import (
    fits_published_vocabulary,
    published_vocabulary,
)
from latelier_transformers.clip_text.tokens import NO_CHUNK, encode_prompts, encode_texts, pad
from latelier_transformers.clip_text.vocabulary import ClipVocabulary


class ClipTextConditioner(Conditioner[ClipTextConfig]):
    """Encodes texts with CLIP's causal transformer (Radford et al. 2021, arXiv:2103.00020).

    Padding is not masked, because Stable Diffusion was trained to attend to it.
    Without a tokenizer of its own it has the published one, if its token ids are those.
    """

    Input = Text

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__(config)
        self._own_vocabulary: ClipVocabulary | None = None
        self.text_model = build_network(config)
        if config.pooled == "projected":
            width = config.hidden_size
            self.text_projection = Linear(width, width, bias=False)
            nn.init.normal_(self.text_projection.weight, std=width**-0.5)

    def assets(self) -> dict[str, bytes]:
        """Return the files of the tokenizer, if it has one."""
        return {} if self._vocabulary is None else self._vocabulary.files

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Set the tokenizer: vocab.json and merges.txt as published with CLIP, or tokenizer.json.

        With added_tokens.json the words of textual inversion are known too.

        Raises:
            ModelFileError: a file is missing or damaged.
            InvalidConfigError: the token ids differ from those of the configuration.
        """
        if assets:
            self.set_vocabulary(ClipVocabulary(assets))

    def set_vocabulary(self, vocabulary: ClipVocabulary) -> None:
        """Set the tokenizer.

        Raises:
            InvalidConfigError: the token ids differ from those of the configuration.
        """
        vocabulary.check(self.config)
        self._own_vocabulary = vocabulary

    def with_tokens(self, words: Mapping[str, int], rows: Tensor) -> Self:
        """Return a view with more words, which shares all weights but the token table.

        Args:
            words: word -> the number of its tokens.
            rows: of the token table for these tokens, in order.

        Raises:
            InvalidConfigError: there is no tokenizer, or it has a word already.
        """
        vocabulary = self._require_vocabulary()
        extended = vocabulary.with_words(words)
        layer = "text_model.embeddings.token_embedding"
        table = self.get_parameter(f"{layer}.weight")
        rows = torch.cat([table[: len(vocabulary)], rows.to(table)])  # without rows of no token
        view = replace_weights(self, {f"{layer}.weight": rows})
        view._config = self.config.model_copy(update={"vocab_size": len(rows)})
        view.set_vocabulary(extended)
        return view

    def check(self, value: Text, /) -> Sequence[str]:
        """Return warnings about marks in a prompt that are read as words."""
        words = () if self._vocabulary is None else self._vocabulary.words
        return find_unsupported(value.text, self.config.prompt_syntax, words)

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return what `encode_texts` or, with a syntax for prompts, `encode_prompts` does.

        Raises:
            InvalidInputError: a text has too many tokens, or an impossible weight.
            InvalidConfigError: the conditioner has no tokenizer yet.
        """
        vocabulary = self._require_vocabulary()
        encode = encode_texts if self.config.prompt_syntax == "plain" else encode_prompts
        return encode([value.text for value in inputs], vocabulary, self.config)

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, N, hidden_size), the vector (B, hidden_size), or both.

        N is max_position_embeddings, times the most chunks of a text. The vector is that of the
        first chunk, and has no weights.
        """
        if "weights" in batch:
            return self._encode_chunks(batch["tokens"], batch["weights"])
        states, pooled = self._encode(batch["tokens"])
        return ConditionPart(None if states is None else Stream(states), vector=pooled)

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text, or zeros, for `rows` rows."""
        states, pooled = self._zeros() if self.config.null == "zeros" else self._encode_empty()
        stream = None if states is None else Stream(states.expand(rows, -1, -1))
        return ConditionPart(stream, vector=None if pooled is None else pooled.expand(rows, -1))

    def _encode_chunks(self, tokens: Tensor, weights: Tensor) -> ConditionPart:
        """Return the part of the chunks (B, MAX_CHUNKS, N) of prompts; missing ones are masked."""
        exists = tokens[..., 0] != NO_CHUNK
        count = int(exists.any(0).sum())
        exists, weights = exists[:, :count], weights[:, :count].flatten(0, 1)
        states, pooled = self._encode(tokens[:, :count].clamp(min=0).flatten(0, 1))
        vector = None if pooled is None else pooled[::count]
        if states is None:
            return ConditionPart(vector=vector)
        if (weights != 1).any():
            weigh = RULES[self.config.prompt_syntax].weigh
            states = weigh(states, weights, self._encode_empty_states)
        mask = None if exists.all() else exists.repeat_interleave(states.shape[1], 1)
        stream = states.view(len(tokens), -1, states.shape[2])
        return ConditionPart(Stream(stream, mask), vector=vector)

    def _encode(self, tokens: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the stream's tokens (B, N, D) and the vector (B, D) of ids (B, N)."""
        config, norm = self.config, self.text_model.final_layer_norm
        has_vector = config.pooled != "none"
        is_last_needed = has_vector or config.layer == "last"
        penultimate, last = run_layers(self.text_model, tokens, with_last=is_last_needed)
        states = {"none": None, "penultimate": penultimate, "last": last}[config.layer]
        if states is not None and config.final_norm:
            states = norm(states)
        if last is None or not has_vector:
            return states, None
        pooled = norm(take_end(last, tokens, config.eos_token_id))
        return states, self.text_projection(pooled) if config.pooled == "projected" else pooled

    def _encode_empty(self) -> tuple[Tensor | None, Tensor | None]:
        """Return the stream's tokens (1, N, D) and the vector (1, D) of the empty text."""
        device = self.text_model.final_layer_norm.weight.device
        return self._encode(torch.tensor([pad([], self.config)], device=device))

    def _encode_empty_states(self) -> Tensor:
        states, _ = self._encode_empty()
        assert states is not None  # weights change a stream
        return states

    def _zeros(self) -> tuple[Tensor | None, Tensor | None]:
        """Return zeros of the shapes of `_encode_empty`."""
        width, length = self.config.hidden_size, self.config.max_position_embeddings
        weight = self.text_model.final_layer_norm.weight
        zeros = torch.zeros(1, length, width, dtype=find_compute_dtype(self), device=weight.device)
        return (
            None if self.config.layer == "none" else zeros,
            None if self.config.pooled == "none" else zeros[:, 0],
        )

    @property
    def _vocabulary(self) -> ClipVocabulary | None:
        if self._own_vocabulary is None and fits_published_vocabulary(self.config):
            return published_vocabulary()
        return self._own_vocabulary

    def _require_vocabulary(self) -> ClipVocabulary:
        if self._vocabulary is None:
            raise InvalidConfigError(
                "this CLIP text conditioner has no tokenizer: load one with its pipeline, or give "
                "it CLIP's vocab.json and merges.txt with set_assets()"
            )
        return self._vocabulary
