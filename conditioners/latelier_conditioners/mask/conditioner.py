"""The inpainting conditioner: the masked image as latents, and the mask."""

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier_conditioners.image_tensors import first_stage_weight, image_tensor
from latelier_conditioners.mask.compositing import composited
from latelier_conditioners.mask.drawing import drawn_mask
from latelier_conditioners.mask.inputs import Inpainting, MaskConfig


class MaskConditioner(Conditioner):
    """OutputSpec the latents of the image without its hole, and the mask at latent size.

    The inpainting models of Rombach et al. 2022 (arXiv:2112.10752, section 4.5) and of Stable
    Diffusion, which differ in the order of channels and in values. It has no weights: the latents
    are the first stage's, which is not trained with it. Where nothing is given all is hole.
    """

    Input = Inpainting

    def __init__(self, config: MaskConfig) -> None:
        super().__init__(config)
        self._mask = config

    def output_size(self, value: Inpainting, /) -> tuple[int, int]:
        """Return the image's size."""
        width, height = value.image.size
        return width, height

    def augment(self, value: Inpainting, rng: np.random.Generator, /) -> Inpainting:
        """Return the input with a mask drawn for it, if it has none."""
        if value.mask is not None:
            return value
        mask = drawn_mask(value.image.size, self._mask.drawn_share, rng)
        return Inpainting(image=value.image, mask=mask)

    def postprocess(self, picture: PIL.Image.Image, value: Inpainting, /) -> PIL.Image.Image:
        """Return a generated picture with the original's pixels where the mask keeps them.

        Raises:
            InvalidInputError: the picture is not as large as the original, or there is no mask.
        """
        return composited(picture, value.image, self._given_mask(value))

    def prepare(
        self, inputs: Sequence[Inpainting], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "image" (B, 3, H, W) in [-1, 1], and "hole" (B, 1, H, W) bool.

        Raises:
            InvalidInputError: an image that is not as large as the picture, or without a mask.
        """
        holes = [torch.tensor(np.asarray(self._given_mask(each)) > 0)[None] for each in inputs]
        for each in inputs:
            width, height = each.image.size
            if (height, width) != geometry.size:
                raise InvalidInputError(
                    f"the image to inpaint is {width}x{height}, but the picture is "
                    f"{geometry.size[1]}x{geometry.size[0]}; leave the size out, or resize image "
                    "and mask"
                )
        images = [image_tensor(each.image) for each in inputs]
        return {"image": torch.stack(images), "hole": torch.stack(holes)}

    def forward(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, C + 1, h, w).

        Raises:
            CompatibilityError: the geometry has no first stage, or one with other latents.
        """
        hole = batch["hole"]
        latents = self._encoded(batch["image"].masked_fill(hole, self._mask.hole_value), geometry)
        keep, repaint = self._mask.mask_values
        # nearest: the upper left pixel of each cell, as in the published models
        cells = interpolate(hole.to(latents.dtype), latents.shape[2:], mode="nearest")
        mask = keep + (repaint - keep) * cells
        channels = [mask, latents] if self._mask.mask_first else [latents, mask]
        return ConditionPart(spatial=torch.cat(channels, dim=1))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the part of a picture that is all hole."""
        device = first_stage_weight(geometry).device
        image = torch.zeros(1, 3, *geometry.size, device=device)
        hole = torch.ones(1, 1, *geometry.size, dtype=torch.bool, device=device)
        one = self.forward({"image": image, "hole": hole}, geometry).spatial
        assert one is not None
        return ConditionPart(spatial=one.expand(rows, -1, -1, -1))

    def _encoded(self, images: Tensor, geometry: PictureGeometry) -> Tensor:
        if geometry.first_stage is None:
            raise CompatibilityError(
                "inpainting works on latents: the geometry needs a first stage"
            )
        with torch.no_grad():
            latents = geometry.first_stage.encode(images.to(first_stage_weight(geometry).dtype))
        if latents.shape[1] != self._mask.latent_channels:
            raise CompatibilityError(
                f"the first stage gives latents of {latents.shape[1]} channels, "
                f"not latent_channels={self._mask.latent_channels}"
            )
        return latents

    def _given_mask(self, value: Inpainting) -> PIL.Image.Image:
        if value.mask is None:
            raise InvalidInputError(
                "inpainting needs a mask beside the image: {'image': ..., 'mask': ...}, white "
                "where it is repainted"
            )
        mask: PIL.Image.Image = value.mask
        return mask
