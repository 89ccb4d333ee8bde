"""The class-label conditioner: one learnt vector for each class."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier_conditioners.class_label.inputs import ClassLabel, ClassLabelConfig
from latelier_conditioners.common.labels import ClassNames


class ClassLabelConditioner(Conditioner[ClassLabelConfig]):
    """Looks classes up in a table whose last row stands for no class.

    The class conditioning of latent diffusion (Rombach et al. 2022, arXiv:2112.10752), with the
    null row of classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598). A published
    model without that row (cin256) gets a masked token for no class.
    """

    Input = ClassLabel

    def __init__(self, config: ClassLabelConfig) -> None:
        super().__init__(config)
        self._names = ClassNames(config.names, config.num_classes)
        self.embedding = nn.Embedding(config.num_classes + config.null_class, config.width)

    def prepare(
        self, inputs: Sequence[ClassLabel], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "label" (B,) int64.

        Raises:
            InvalidInputError: a label is not a class of this model.
        """
        numbers = [self._names.number(value.label) for value in inputs]
        return {"label": torch.tensor(numbers, dtype=torch.int64)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return a stream of one token (B, 1, width), or a vector (B, width)."""
        rows = self.embedding(batch["label"])
        if self.config.slot == "stream":
            return ConditionPart(Stream(rows[:, None]))
        return ConditionPart(vector=rows)

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the null row for `rows` rows.

        Without a null row: a masked token, or a vector of zeros. Both contribute nothing.
        """
        weight = self.embedding.weight
        if self.config.null_class:
            label = torch.full((rows,), self.config.num_classes, device=weight.device)
            return self.forward({"label": label}, geometry)
        zeros = weight.new_zeros(rows, 1, self.config.width)
        if self.config.slot == "stream":
            return ConditionPart(
                Stream(zeros, torch.zeros(rows, 1, dtype=torch.bool, device=zeros.device))
            )
        return ConditionPart(vector=zeros[:, 0])
