"""The super-resolution conditioner: the pixels of a low-resolution image."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.image.inputs import CHANNELS, ImageConfig, LowResolution
from latelier_conditioners.image_tensors import image_tensor, zero_part


class ImageConditioner(Conditioner):
    """OutputSpec the pixels of the image, in [-1, 1], at latent size.

    Super-resolution by concatenation (Saharia et al. 2021, arXiv:2104.07636; Rombach et al. 2022,
    arXiv:2112.10752, section 4.4). In the published model the image is as large as the latents
    (factor 4 and a first stage of 4); elsewhere it is resized, bicubic and antialiased. Where no
    image is given every pixel is 0.
    """

    Input = LowResolution

    def __init__(self, config: ImageConfig) -> None:
        super().__init__(config)
        self._image = config

    def output_size(self, value: LowResolution, /) -> tuple[int, int]:
        """Return the image's size times the factor."""
        width, height = value.image.size
        return width * self._image.factor, height * self._image.factor

    def augment(self, value: LowResolution, rng: np.random.Generator, /) -> LowResolution:
        """Return the low-resolution image of a picture."""
        # kornia takes two seconds to import, and only training needs it
        from latelier_conditioners.image.degradation import bicubic, degrade

        picture = image_tensor(value.image)
        if self._image.degradation == "bicubic":
            return LowResolution(image=bicubic(picture, self._image.factor))
        return LowResolution(image=degrade(picture, self._image.factor, rng))

    def prepare(
        self, inputs: Sequence[LowResolution], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "image" (B, 3, h, w), in [-1, 1] at latent size.

        Raises:
            InvalidInputError: the picture is not `factor` times as large as an image.
        """
        rows = []
        for each in inputs:
            self._check(each, geometry)
            image = image_tensor(each.image)[None]
            if image.shape[2:] != geometry.latent_size:
                image = interpolate(image, geometry.latent_size, mode="bicubic", antialias=True)
            rows.append(image.clamp(-1, 1))
        return {"image": torch.cat(rows)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, 3, h, w)."""
        return ConditionPart(spatial=batch["image"])

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return zeros, which are grey."""
        return ConditionPart(spatial=zero_part(rows, CHANNELS, geometry))

    def _check(self, value: LowResolution, geometry: PictureGeometry) -> None:
        width, height = self.output_size(value)
        if (height, width) != geometry.size:
            given_width, given_height = value.image.size
            raise InvalidInputError(
                f"this model enlarges {self._image.factor} times, an image of "
                f"{given_width}x{given_height} to {width}x{height}, not "
                f"{geometry.size[1]}x{geometry.size[0]}; leave the size out"
            )
