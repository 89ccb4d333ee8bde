"""The class-label conditioner: one learnt vector for each class."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from latelier.conditioner import Conditioner
from latelier.kernel.condition import Part, Stream
from latelier.kernel.contracts import Frame
from latelier.kernel.errors import InvalidInputError
from latelier_conditioners.class_label_inputs import ClassLabel, ClassLabelConfig


class ClassLabelConditioner(Conditioner):
    """Looks classes up in a table whose last row stands for no class.

    The class conditioning of latent diffusion (Rombach et al. 2022, arXiv:2112.10752), with the
    null row of classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598).
    """

    Input = ClassLabel

    def __init__(self, config: ClassLabelConfig) -> None:
        super().__init__(config)
        self._classes = config
        self._numbers = {name.casefold(): number for number, name in enumerate(config.names)}
        self.embedding = nn.Embedding(config.num_classes + 1, config.width)

    def prepare(self, inputs: Sequence[ClassLabel], _frame: Frame, /) -> dict[str, Tensor]:
        """Return "label" (B,) int64.

        Raises:
            InvalidInputError: there is no such class.
        """
        numbers = [self._number(value.label) for value in inputs]
        return {"label": torch.tensor(numbers, dtype=torch.int64)}

    def forward(self, batch: Mapping[str, Tensor], _frame: Frame, /) -> Part:
        """Return a stream of one token (B, 1, width), or a vector (B, width)."""
        rows: Tensor = self.embedding(batch["label"])
        if self._classes.slot == "stream":
            return Part(Stream(rows[:, None]))
        return Part(vector=rows)

    def null(self, rows: int, frame: Frame, /) -> Part:
        """Return the row of no class for that many rows."""
        weight = self.embedding.weight
        label = torch.full((rows,), self._classes.num_classes, device=weight.device)
        return self.forward({"label": label}, frame)

    def _number(self, label: int | str) -> int:
        if isinstance(label, str):
            named = self._numbers.get(label.strip().casefold())
            if named is not None:
                return named
            if not label.strip().isdecimal():
                raise InvalidInputError(f"there is no class '{label}'. {self._hint(label)}")
            label = int(label)
        if label >= self._classes.num_classes:
            raise InvalidInputError(
                f"there is no class {label}; the classes are 0 to {self._classes.num_classes - 1}"
            )
        return label

    def _hint(self, label: str) -> str:
        if not self._numbers:
            last = self._classes.num_classes - 1
            return f"The classes of this model have no names; give a number from 0 to {last}."
        close = get_close_matches(label.strip().casefold(), self._numbers, n=3, cutoff=0.5)
        if close:
            return f"Did you mean {' or '.join(map(repr, close))}?"
        return f"Some that there are: {', '.join(self._classes.names[:10])}."
