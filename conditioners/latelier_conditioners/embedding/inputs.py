"""Configuration and input of the embedding conditioner."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from latelier.contracts.bounds import Tokens, Width
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen, is_trusted


class EmbeddingConfig(ConditionerConfig):
    """Vectors from outside, such as CLIP's. Each is a token of the context."""

    width: Width = Field(description="width of the vectors")
    max_vectors: Tokens = Field(
        default=1, ge=1, description="vectors that fit: that of the text and of its neighbours"
    )
    normalise: bool = Field(
        default=False, description="scale vectors to unit length, if the model was trained so"
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width)


def _read_vectors(value: Any, info: ValidationInfo) -> tuple[tuple[float, ...], ...]:
    import numpy as np

    if isinstance(value, str | Path):
        if not is_trusted(info):
            raise ValueError("expected lists of numbers; a path is not opened for a client")
        value = _load(value)
    if isinstance(value, list | tuple):
        value = [each.tolist() if hasattr(each, "tolist") else each for each in value]
    elif hasattr(value, "tolist"):  # an array, or a tensor on any device
        value = value.tolist()
    try:
        with np.errstate(over="ignore"):
            array = np.array(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(
            "expected lists of numbers of one length, or the path of an .npy file"
        ) from None
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.size == 0:
        raise ValueError("expected one vector, or a list of at least one vector")
    for row, vector in enumerate(array):
        if not np.isfinite(vector).all():
            raise ValueError(f"vector {row} has numbers that are not finite")
    return tuple(tuple(row) for row in array.tolist())


def _load(path: str | Path) -> Any:
    import numpy as np

    try:
        return np.load(Path(path).expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError, RuntimeError) as error:  # no home is a RuntimeError
        raise ValueError(f"'{path}' cannot be read as an .npy file: {error}") from None


Vectors = Annotated[
    tuple[tuple[float, ...], ...],
    BeforeValidator(_read_vectors),
    WithJsonSchema({"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
]


class Embedding(Frozen):
    """What the picture should be like, as vectors that another program has computed."""

    vectors: Vectors = Field(
        description="one vector or several: lists, an array, or the path of an .npy file"
    )
