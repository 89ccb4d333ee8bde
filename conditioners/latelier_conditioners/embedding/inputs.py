"""What the embedding conditioner is configured with and what a person gives it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen


class EmbeddingConfig(ConditionerConfig):
    """Vectors made elsewhere, such as CLIP's, each a token of the context."""

    width: int = Field(ge=1, description="width of the vectors")
    max_vectors: int = Field(
        default=1, ge=1, description="most vectors of one picture: the text's and its neighbours'"
    )
    normalise: bool = Field(
        default=False, description="vectors are scaled to unit length, as the model learnt them"
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.width)


def _read_vectors(value: Any) -> tuple[tuple[float, ...], ...]:
    import numpy as np

    if isinstance(value, str | Path):
        value = _loaded(Path(value).expanduser())
    if isinstance(value, list | tuple):
        value = [each.tolist() if hasattr(each, "tolist") else each for each in value]
    elif hasattr(value, "tolist"):  # an array, or a tensor on whatever device
        value = value.tolist()
    try:
        with np.errstate(over="ignore"):
            array = np.array(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(
            "vectors are lists of numbers, all equally long, or the path of an .npy file"
        ) from None
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.size == 0:
        raise ValueError("give one vector, or a list of at least one vector")
    for row, vector in enumerate(array):
        if not np.isfinite(vector).all():
            raise ValueError(f"vector {row} has numbers that are not finite")
    return tuple(tuple(row) for row in array.tolist())


def _loaded(path: Path) -> Any:
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"'{path}' cannot be read as an .npy file: {error}") from None


Vectors = Annotated[
    tuple[tuple[float, ...], ...],
    BeforeValidator(_read_vectors),
    WithJsonSchema({"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
]


class Embedding(Frozen):
    """Vectors that say what the picture shows."""

    vectors: Vectors = Field(
        description="one vector, or several; as lists, as an array, or as the path of an .npy file"
    )
