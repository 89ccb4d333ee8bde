"""Views of CLIP conditioners that know words of textual inversion."""

from collections.abc import Mapping

import torch
from latelier.contracts.errors import CompatibilityError
from torch import Tensor

from latelier_transformers.clip_pair_text.conditioner import ClipPairTextConditioner
from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.textual_inversion.reading import ENCODERS, Embedding


def with_words(
    conditioner: ClipTextConditioner | ClipPairTextConditioner, words: Mapping[str, Embedding]
) -> ClipTextConditioner | ClipPairTextConditioner:
    """Return a view of a conditioner that knows more words. Only the token tables are copied.

    Args:
        conditioner: stays as it is.
        words: word -> its embedding, as `read_embeddings` returns them.

    Raises:
        CompatibilityError: an embedding is of another text encoder.
        InvalidConfigError: the conditioner has no tokenizer, or it cannot take a word.
    """
    if isinstance(conditioner, ClipTextConditioner):
        _check_alone(conditioner, words)
        return _extend(conditioner, words)
    clip_l, clip_g = (
        _extend(encoder, {word: _pick(word, embedding, name) for word, embedding in words.items()})
        for name, encoder in (("clip_l", conditioner.clip_l), ("clip_g", conditioner.clip_g))
    )
    return conditioner.with_encoders(clip_l, clip_g)


def _check_alone(conditioner: ClipTextConditioner, words: Mapping[str, Embedding]) -> None:
    """Refuse an embedding of a pair of encoders for one that is none of Stable Diffusion XL's.

    The refiner of SDXL has the second alone.
    """
    width = conditioner.config.hidden_size
    for word, embedding in words.items():
        if len(embedding) > 1 and ENCODERS.get(width) != "clip_g":
            found = ", ".join(f"{name} {each.shape[1]}" for name, each in embedding.items())
            raise CompatibilityError(
                f"the embedding of '{word}' is of a pair of text encoders ({found}), as those of "
                f"Stable Diffusion XL, and the model has one, of width {width}"
            )


def _pick(word: str, embedding: Embedding, encoder: str) -> Embedding:
    """Return the part of an embedding that is of one encoder of a pair."""
    if encoder not in embedding:
        raise CompatibilityError(
            f"the embedding of '{word}' is of {', '.join(embedding)}, and the model has a pair of "
            "text encoders, clip_l and clip_g, as Stable Diffusion XL"
        )
    return {encoder: embedding[encoder]}


def _extend(
    conditioner: ClipTextConditioner, words: Mapping[str, Embedding]
) -> ClipTextConditioner:
    width = conditioner.config.hidden_size
    rows = [_of_width(word, embedding, width) for word, embedding in words.items()]
    counts = {word: len(vectors) for word, vectors in zip(words, rows, strict=True)}
    rows = [torch.empty(0, width), *(each.float() for each in rows)]
    return conditioner.with_tokens(counts, torch.cat(rows))


def _of_width(word: str, embedding: Embedding, width: int) -> Tensor:
    for vectors in embedding.values():
        if vectors.shape[1] == width:
            return vectors
    found = ", ".join(f"{each.shape[1]} ({name})" for name, each in embedding.items())
    raise CompatibilityError(
        f"the embedding of '{word}' has vectors of width {found}, and the text encoder {width}"
    )
