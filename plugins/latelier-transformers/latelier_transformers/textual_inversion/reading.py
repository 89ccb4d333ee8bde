"""Files of textual inversion (Gal et al. 2022, arXiv:2208.01618), in all their forms.

A1111's files hold `string_to_param.*` or `emb_params`, those of diffusers the word itself, those
of Stable Diffusion XL `clip_l` and `clip_g`. LoRAs bring embeddings along, under `bundle_emb.WORD.`
and one of these names. Pure functions.
"""

from collections.abc import Mapping

from latelier.checkpoints.lora.keys import BUNDLE
from latelier.contracts.errors import ModelFileError
from torch import Tensor

Embedding = Mapping[str, Tensor]
"""Encoder -> the vectors (n, D) of a word, which stands for n tokens."""

ENCODERS = {768: "clip_l", 1024: "clip_h", 1280: "clip_g"}
"""Width of a text encoder -> its name, where a file says none."""

_VECTORS = ("string_to_param.*", "emb_params")
_NAMED = ("clip_l", "clip_g")
_IGNORED = ("string_to_token.*",)


def read_embeddings(tensors: Mapping[str, Tensor], word: str) -> dict[str, Embedding]:
    """Return the words of a file and their embeddings.

    Args:
        tensors: of the file; those of a LoRA beside embeddings are left out.
        word: for a file that does not say its own, such as the name of the file.

    Raises:
        ModelFileError: the file holds no embedding, or one of impossible vectors.
    """
    bundled = {
        name.removeprefix(BUNDLE): tensor
        for name, tensor in tensors.items()
        if name.startswith(BUNDLE)
    }
    if not bundled:
        return _read_alone(tensors, word)
    words: dict[str, dict[str, Tensor]] = {}
    for name, tensor in bundled.items():
        own, leaf = _split_bundled(name)
        words.setdefault(own, {})[leaf] = tensor
    return {own: _read_one(own, found) for own, found in words.items()}


def is_embedding(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether tensors of these names and shapes are the embedding of a word alone."""
    vectors = {*_VECTORS, *_NAMED}
    if shapes.keys() <= {*vectors, *_IGNORED}:
        return bool(shapes.keys() & vectors)
    [*sizes] = shapes.values()
    return len(sizes) == 1 and len(sizes[0]) in (1, 2) and sizes[0][-1] in ENCODERS


def bundle(words: Mapping[str, Embedding]) -> dict[str, Tensor]:
    """Return the tensors of words under names that say them."""
    return {
        f"{BUNDLE}{word}.{encoder if encoder in _NAMED else _VECTORS[1]}": vectors
        for word, embedding in words.items()
        for encoder, vectors in embedding.items()
    }


def _split_bundled(name: str) -> tuple[str, str]:
    """Return the word, which may have dots, and the name that follows it."""
    for leaf in (*_VECTORS, *_NAMED, *_IGNORED):
        if name.endswith(f".{leaf}"):
            return name.removesuffix(f".{leaf}"), leaf
    raise ModelFileError(f"expected the vectors of a word, got the tensor '{BUNDLE}{name}'")


def _read_alone(tensors: Mapping[str, Tensor], word: str) -> dict[str, Embedding]:
    known = {*_VECTORS, *_NAMED, *_IGNORED}
    if tensors.keys() <= known:
        return {word: _read_one(word, tensors)}
    if len(tensors) == 1:
        [(own, vectors)] = tensors.items()
        return {own: _read_one(own, {_VECTORS[0]: vectors})}
    names = ", ".join(sorted(tensors.keys() - known)[:3])
    raise ModelFileError(f"no file of textual inversion: it holds {names}")


def _read_one(word: str, tensors: Mapping[str, Tensor]) -> Embedding:
    """Return the embedding of a word from the tensors under the names of the forms."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name in _IGNORED:
            continue
        vectors = _check_vectors(word, tensor)
        width = vectors.shape[1]
        encoder = name if name in _NAMED else ENCODERS.get(width)
        if encoder is None:
            raise ModelFileError(
                f"the embedding of '{word}' has vectors of width {width}, which is that of no "
                f"known text encoder ({', '.join(map(str, ENCODERS))})"
            )
        found[encoder] = vectors
    if not found:
        raise ModelFileError(f"the embedding of '{word}' has no vectors")
    counts = {encoder: len(vectors) for encoder, vectors in found.items()}
    if len(set(counts.values())) > 1:
        raise ModelFileError(
            f"the embedding of '{word}': expected as many vectors for each encoder, got {counts}"
        )
    return found


def _check_vectors(word: str, tensor: Tensor) -> Tensor:
    """Return vectors (n, D), given as (D,) or (n, D)."""
    vectors = tensor[None] if tensor.ndim == 1 else tensor
    if vectors.ndim != 2 or not vectors.numel() or not vectors.is_floating_point():
        raise ModelFileError(
            f"the embedding of '{word}': expected numbers of shape (n, D), got {tensor.dtype} "
            f"of shape {tuple(tensor.shape)}"
        )
    if not vectors.isfinite().all():
        raise ModelFileError(f"the embedding of '{word}' has values that are not finite")
    return vectors
