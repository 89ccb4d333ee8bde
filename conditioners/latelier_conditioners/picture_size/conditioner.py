"""The picture-size conditioner: how a training picture was cut."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier.nn.sinusoids import embed_numbers
from latelier_conditioners.picture_size.inputs import PictureSize, PictureSizeConfig


class PictureSizeConditioner(Conditioner[PictureSizeConfig]):
    """Embeds sizes, crop and score as sinusoids (Podell et al. 2023, arXiv:2307.01952, 2.2).

    It has no weights. The null part is that of a whole picture of the size of this one.
    """

    Input = PictureSize

    def __init__(self, config: PictureSizeConfig) -> None:
        super().__init__(config)
        self.zero: Tensor
        self.register_buffer("zero", torch.zeros(()), persistent=False)

    def prepare(
        self, inputs: Sequence[PictureSize], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "numbers" (B, N) float32, heights before widths.

        Raises:
            InvalidInputError: an input has a number that this model does not take.
        """
        rows = [self._list_numbers(value, geometry) for value in inputs]
        width = self.config.outputs().vector or 0
        numbers = torch.tensor(rows, dtype=torch.float32)
        return {"numbers": numbers.view(len(rows), width // self.config.width)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the vector (B, N * width)."""
        sinusoids = embed_numbers(batch["numbers"], self.config.width)
        return ConditionPart(vector=sinusoids.flatten(1).to(self.zero.dtype))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the vector of a whole picture for `rows` rows."""
        numbers = self.prepare([PictureSize()] * rows, geometry)["numbers"]
        return self.forward({"numbers": numbers.to(self.zero.device)}, geometry)

    def _list_numbers(self, value: PictureSize, geometry: PictureGeometry) -> list[float]:
        unknown = sorted(value.model_fields_set - set(self.config.numbers))
        if unknown:
            raise InvalidInputError(
                f"this model takes no {unknown[0]}; it takes {', '.join(self.config.numbers)}"
            )
        whole = geometry.size[::-1]
        numbers: dict[str, tuple[float, ...]] = {
            "original_size": value.original_size or whole,
            "crop": value.crop,
            "target_size": value.target_size or whole,
            "aesthetic_score": (value.aesthetic_score,),
        }
        return [number for name in self.config.numbers for number in reversed(numbers[name])]
