"""From texts to the token ids that CLIP's encoder reads. Without weights of the encoder."""

from collections.abc import Sequence

import torch
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.text.inputs import check_length
from torch import Tensor

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.prompts.rules import RULES
from latelier_transformers.clip_text.vocabulary import ClipVocabulary

MAX_CHUNKS = 32
"""Chunks of the longest prompt."""

NO_CHUNK = -1
"""In place of the token ids of a chunk that a prompt does not have."""


def encode_texts(
    texts: Sequence[str], vocabulary: ClipVocabulary, config: ClipTextConfig
) -> dict[str, Tensor]:
    """Return "tokens" (B, N) int64 of texts that are read as they are.

    Raises:
        InvalidInputError: a text has too many tokens.
    """
    rows = []
    for text in texts:
        ids = vocabulary.encode(text)
        check_length(text, len(ids), _capacity(config))
        rows.append(pad(ids, config))
    tokens = torch.tensor(rows, dtype=torch.int64)
    return {"tokens": tokens.view(len(texts), config.max_position_embeddings)}


def encode_prompts(
    prompts: Sequence[str], vocabulary: ClipVocabulary, config: ClipTextConfig
) -> dict[str, Tensor]:
    """Return "tokens" (B, MAX_CHUNKS, N) int64 of prompts, and their "weights" float32.

    Missing chunks have the tokens NO_CHUNK.

    Raises:
        InvalidInputError: a prompt has too many chunks, or an impossible weight.
    """
    shape = len(prompts), MAX_CHUNKS, config.max_position_embeddings
    tokens, weights = torch.full(shape, NO_CHUNK), torch.ones(shape)
    capacity, rule = _capacity(config), RULES[config.prompt_syntax]
    for row, prompt in enumerate(prompts):
        chunks = rule.split(prompt, vocabulary.encode, capacity)
        if len(chunks) > MAX_CHUNKS:
            raise InvalidInputError(
                f"a prompt has {len(chunks)} chunks of {capacity} tokens, but at most "
                f"{MAX_CHUNKS} fit"
            )
        for number, chunk in enumerate(chunks):
            ids = pad([token.number for token in chunk], config)
            tokens[row, number] = torch.tensor(ids)
            weights[row, number, 1 : len(chunk) + 1] = torch.tensor([each.weight for each in chunk])
    return {"tokens": tokens, "weights": weights}


def pad(ids: Sequence[int], config: ClipTextConfig) -> list[int]:
    """Return the ids of a text between start and end token, padded."""
    row = [config.bos_token_id, *ids, config.eos_token_id]
    return row + [config.pad_token_id] * (config.max_position_embeddings - len(row))


def _capacity(config: ClipTextConfig) -> int:
    """Return the number of tokens between start and end."""
    return config.max_position_embeddings - 2
