"""The super-resolution conditioner: the pixels of a low-resolution image."""

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import pil_to_tensor, tensor_to_pil
from latelier_conditioners.common.spatial import zero_map
from latelier_conditioners.image.agreement import restore_agreement
from latelier_conditioners.image.inputs import ImageConfig, LowResolution


class ImageConditioner(Conditioner[ImageConfig]):
    """Concatenates the pixels of the image, in [-1, 1] and at latent size, to the latents.

    Super-resolution of Saharia et al. 2021 (arXiv:2104.07636) and Rombach et al. 2022
    (arXiv:2112.10752, section 4.4). In the published model the image has the size of the latents
    (factor 4 and a first stage of 4). With `patch` p it is p times as large, and each square of
    p x p pixels becomes 3 p^2 channels. An image of another size is resized, bicubic and
    antialiased. Without an image every pixel is 0.

    A model for reductions by resizing alone makes pictures that agree with the image: reduced, they
    are it. Those for random degradations do not, since the image has noise that the picture should
    not have.
    """

    Input = LowResolution

    def output_size(self, value: LowResolution, /) -> tuple[int, int]:
        """Return the image's size times the factor."""
        width, height = value.image.size
        return width * self.config.factor, height * self.config.factor

    def augment(self, value: LowResolution, rng: np.random.Generator, /) -> LowResolution:
        """Return a picture degraded to the image that it would be restored from."""
        # here, because kornia takes two seconds to import and only training needs it
        from latelier_conditioners.image.degradation import bicubic, degrade

        picture = pil_to_tensor(value.image)
        if self.config.degradation == "bicubic":
            return LowResolution(image=bicubic(picture, self.config.factor))
        return LowResolution(image=degrade(picture, self.config.factor, rng))

    def prepare(
        self, inputs: Sequence[LowResolution], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "image" (B, 3 p^2, h, w), in [-1, 1] at latent size.

        Raises:
            InvalidInputError: an image is not exactly `factor` times smaller than the picture.
        """
        patch = self.config.patch
        height, width = (side * patch for side in geometry.latent_size)
        rows = []
        for each in inputs:
            self._check_size(each, geometry)
            image = pil_to_tensor(each.image)[None]
            if image.shape[2:] != (height, width):
                image = interpolate(image, (height, width), mode="bicubic", antialias=True)
            rows.append(pixel_unshuffle(image.clamp(-1, 1), patch))
        return {"image": torch.cat(rows)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, 3 p^2, h, w)."""
        return ConditionPart(spatial=batch["image"])

    def known_pixels(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> Tensor:
        """Return the enlarged image (B, 4, H, W) in 0..1, whose alpha is 1."""
        small = pixel_shuffle(batch["image"].float(), self.config.patch)
        color = interpolate(small, geometry.size, mode="bicubic").clamp(-1, 1)
        return torch.cat([(color + 1) / 2, torch.ones_like(color[:, :1])], dim=1)

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return zeros (rows, 3 p^2, h, w), which are grey."""
        return ConditionPart(spatial=zero_map(rows, self.config.channels, geometry))

    def postprocess(self, picture: PIL.Image.Image, value: LowResolution, /) -> PIL.Image.Image:
        """Return the picture that agrees with the image, if the image is an exact reduction."""
        if self.config.degradation != "bicubic":
            return picture
        agreeing = restore_agreement(pil_to_tensor(picture), pil_to_tensor(value.image))
        return tensor_to_pil(agreeing[None])[0]

    def _check_size(self, value: LowResolution, geometry: PictureGeometry) -> None:
        width, height = self.output_size(value)
        if (height, width) != geometry.size:
            given_width, given_height = value.image.size
            raise InvalidInputError(
                f"this model enlarges {self.config.factor} times, an image of "
                f"{given_width}x{given_height} to {width}x{height}, not "
                f"{geometry.size[1]}x{geometry.size[0]}; leave the size out"
            )
