"""An adapter of the LoRA family."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from latelier.checkpoints.io.weights import write_weights
from latelier.contracts.adapters import Model, WeightChange
from torch import Tensor

from latelier_addons.lycoris.configs import LycorisConfig
from latelier_addons.lycoris.keys import is_beyond_lora
from latelier_addons.lycoris.reading import LycorisFile, read_file

LYCORIS_ID = "latelier-addons/lycoris"
"""The id of this kind of adapter."""


class Lycoris:
    """Changes of weights in the forms of LyCORIS and peft: LoHa, LoKr, DoRA, GLoRA ...

    Its file may have layers of LoRA too. It is written with the names that it was read with.
    """

    def __init__(self, file: LycorisFile) -> None:
        self._file = file

    @property
    def changes(self) -> Mapping[str, WeightChange]:
        """The changes by the addresses of their parameters."""
        return self._file.changes

    @property
    def config(self) -> LycorisConfig:
        """The forms of the changes."""
        return LycorisConfig(forms=dict(Counter(self._file.forms.values())))

    @classmethod
    def recognizes(cls, shapes: Mapping[str, tuple[int, ...]], /) -> bool:
        """Return whether tensors are of changes that the core does not read."""
        return any(map(is_beyond_lora, shapes))

    @classmethod
    def read(cls, path: Path, model: Model, /) -> Self:
        """Read a file in any known layout; see `read_file`."""
        return cls(read_file(path, model))

    def write(self, path: Path, _model: Model, /) -> str:
        """Write the layers that the model has, as they were read; return the file's SHA-256."""
        return write_weights(path, self._file.tensors, self._file.metadata)

    def parameters(self) -> list[Tensor]:
        """Return the tensors of the file."""
        return list(self._file.tensors.values())
