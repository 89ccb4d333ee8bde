"""The kind of adapters that adds words to CLIP conditioners."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from latelier.checkpoints.io.weights import read_weights, write_weights
from latelier.checkpoints.lora.keys import WITH_WORDS, find_other_kind, parse_key
from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.lora.writing import own_tensors
from latelier.contracts.adapters import Model, WeightChange
from latelier.contracts.errors import CompatibilityError, InvalidConfigError, ModelFileError
from torch import nn

from latelier_transformers.clip_pair_text.conditioner import ClipPairTextConditioner
from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.textual_inversion.config import TextualInversionConfig
from latelier_transformers.textual_inversion.reading import (
    Embedding,
    bundle,
    is_embedding,
    read_embeddings,
)
from latelier_transformers.textual_inversion.words import with_words


class TextualInversion(nn.Module):
    """Words that stand for learnt vectors, and the LoRA that came in one file with them, if any."""

    def __init__(self, words: Mapping[str, Embedding], lora: Lora | None = None) -> None:
        super().__init__()
        self._words = words
        self.lora = lora

    @property
    def config(self) -> TextualInversionConfig:
        """The words."""
        counts = {word: len(next(iter(each.values()))) for word, each in self._words.items()}
        return TextualInversionConfig(words=counts)

    @property
    def changes(self) -> Mapping[str, WeightChange]:
        """The changes of the LoRA by the addresses of their parameters."""
        return {} if self.lora is None else self.lora.changes

    @classmethod
    def recognizes(cls, shapes: Mapping[str, tuple[int, ...]], /) -> bool:
        """Return whether tensors are of embeddings, alone or in one file with a LoRA."""
        is_alone = is_embedding(shapes) and not any(map(parse_key, shapes))
        return is_alone or find_other_kind(shapes) == WITH_WORDS

    @classmethod
    def read(cls, path: Path, model: Model, /) -> Self:
        """Read a file of embeddings. A word that the file does not say is the name of the file.

        Raises:
            ModelFileError: the file is damaged, or has impossible vectors.
            CompatibilityError: it is for other text encoders.
        """
        tensors = read_weights(path)
        try:
            words = read_embeddings(tensors, path.name.removesuffix(".safetensors"))
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
        lora = Lora.read(path, model) if any(map(parse_key, tensors)) else None
        found = cls(words, lora).eval().requires_grad_(False)
        found._check(path, model)
        return found

    def write(self, path: Path, _model: Model, /) -> str:
        """Write a safetensors file that `read` reads, and return its SHA-256."""
        lora = {} if self.lora is None else own_tensors(self.lora.layers)
        return write_weights(path, {**bundle(self._words), **lora})

    def extend(self, conditioner: Any, /) -> Any:
        """Return a view of a CLIP conditioner that knows the words."""
        if not isinstance(conditioner, ClipTextConditioner | ClipPairTextConditioner):
            return conditioner
        try:
            return with_words(conditioner, self._words)
        except CompatibilityError:  # another of several text encoders: `_check` found one
            return conditioner

    def _check(self, path: Path, model: Model) -> None:
        """Check that a text encoder takes the words.

        Raises:
            CompatibilityError: none does; says why.
            InvalidConfigError: the tokenizer has a word already.
        """
        reason: Exception | str = "the model has no CLIP text encoder"
        for module in model.values():
            if isinstance(module, ClipTextConditioner | ClipPairTextConditioner):
                try:
                    with_words(module, self._words)
                except CompatibilityError as error:
                    reason = error
                except InvalidConfigError as error:
                    raise InvalidConfigError(f"{path}: {error}") from None
                else:
                    return
        raise CompatibilityError(f"{path}: {reason}")
