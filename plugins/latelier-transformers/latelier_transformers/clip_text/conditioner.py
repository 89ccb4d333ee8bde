"""The CLIP text conditioner."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.contracts.errors import InvalidConfigError
from latelier.nn.packed import Linear, adopt_layers
from latelier.nn.stored_weights import find_compute_dtype
from latelier.nn.views import replace_weights
from latelier_conditioners.text.inputs import Text
from torch import Tensor, nn

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.prompts.rules import RULES
from latelier_transformers.clip_text.prompts.unsupported import find_unsupported
from latelier_transformers.clip_text.published_vocabulary import (
    fits_published_vocabulary,
    published_vocabulary,
)
from latelier_transformers.clip_text.tokens import NO_CHUNK, encode_prompts, encode_texts, pad
from latelier_transformers.clip_text.vocabulary import ClipVocabulary
from latelier_transformers.library import transformers


class ClipTextConditioner(Conditioner[ClipTextConfig]):
    """Encodes texts with CLIP's causal transformer (Radford et al. 2021, arXiv:2103.00020).

    The stream is unmasked, because Stable Diffusion was trained to attend to the encoded padding.
    Without a tokenizer of its own it has the published one, if its token ids are those.
    """

    Input = Text

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__(config)
        self._own_vocabulary: ClipVocabulary | None = None
        library = transformers()
        # The layers are called without a mask, and this attention then computes a causal one.
        network = library.CLIPTextConfig(**config.network(), attn_implementation="sdpa")
        self.text_model = library.CLIPTextModel(network)
        adopt_layers(self.text_model)
        # `_encode` passes positions itself. No weight file holds this table; to keep it would mean
        # to initialise all weights before a file is mapped over them.
        del self.text_model.embeddings.position_ids
        if config.pooled == "projected":
            width = config.hidden_size
            self.text_projection = Linear(width, width, bias=False)
            nn.init.normal_(self.text_projection.weight, std=width**-0.5)
        # published files have weights that no output depends on
        if config.pooled == "none":
            self.text_model.encoder.layers[-1].requires_grad_(config.layer == "last")
            self.text_model.final_layer_norm.requires_grad_(config.final_norm)

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
        return find_unsupported(value.text, self.config.prompt_syntax)

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
        penultimate, last = self._run_layers(tokens)
        states = {"none": None, "penultimate": penultimate, "last": last}[self.config.layer]
        if states is not None and self.config.final_norm:
            states = self.text_model.final_layer_norm(states)
        return states, None if self.config.pooled == "none" else self._pool(last, tokens)

    def _run_layers(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs (B, N, D) of the last two layers; the last runs only if needed."""
        model = self.text_model
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        states = model.embeddings(tokens, position_ids=positions)
        *layers, last_layer = model.encoder.layers
        for layer in layers:
            states = layer(states, None, is_causal=True)
        if self.config.layer != "last" and self.config.pooled == "none":
            return states, states
        return states, last_layer(states, None, is_causal=True)

    def _pool(self, last: Tensor, tokens: Tensor) -> Tensor:
        """Return the vector (B, D) of the last layer's output (B, N, D) for ids (B, N)."""
        # padding may be the end token too, and learnt words have larger ids
        ends = (tokens == self.config.eos_token_id).int().argmax(1)
        rows = torch.arange(len(tokens), device=tokens.device)
        pooled = self.text_model.final_layer_norm(last[rows, ends])
        return self.text_projection(pooled) if self.config.pooled == "projected" else pooled

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
