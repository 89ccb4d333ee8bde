"""The inpainting conditioner: the latents of the masked image, and the mask."""

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.contracts.images.random_masks import random_mask
from latelier_conditioners.common.spatial import (
    encode_images,
    place_of_first_stage,
    zero_map,
)
from latelier_conditioners.mask.compositing import composite
from latelier_conditioners.mask.inputs import Inpainting, MaskConfig


class MaskConditioner(Conditioner[MaskConfig]):
    """Concatenates the latents of the masked image, and the mask, to the noisy latents.

    The inpainting models of Rombach et al. 2022 (arXiv:2112.10752, section 4.5) and of Stable
    Diffusion, which differ in the order of channels and in values. It has no weights: the first
    stage, which is not trained with it, encodes the image. Without an input, everything is masked.
    """

    Input = Inpainting

    def output_size(self, value: Inpainting, /) -> tuple[int, int]:
        """Return the image's size."""
        width, height = value.image.size
        return width, height

    def augment(self, value: Inpainting, rng: np.random.Generator, /) -> Inpainting:
        """Return the input, with a random mask if it has none."""
        if value.mask is not None:
            return value
        mask = random_mask(value.image.size, self.config.drawn_share, rng)
        return Inpainting(image=value.image, mask=mask)

    def postprocess(self, picture: PIL.Image.Image, value: Inpainting, /) -> PIL.Image.Image:
        """Return a generated picture with the original pixels where the mask is black.

        Raises:
            InvalidInputError: `picture` and the original differ in size, or the input has no mask.
        """
        return composite(picture, value.image, self._require_mask(value))

    def prepare(
        self, inputs: Sequence[Inpainting], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "image" (B, 3, H, W) in [-1, 1] and "mask" (B, 1, H, W) bool, True = repaint.

        Raises:
            InvalidInputError: an image and the picture differ in size, or an input has no mask.
        """
        masks = [torch.tensor(np.asarray(self._require_mask(each)) > 0)[None] for each in inputs]
        for each in inputs:
            width, height = each.image.size
            if (height, width) != geometry.size:
                raise InvalidInputError(
                    f"the image to inpaint is {width}x{height}, but the picture is "
                    f"{geometry.size[1]}x{geometry.size[0]}; leave the size out, or resize image "
                    "and mask"
                )
        images = [pil_to_tensor(each.image) for each in inputs]
        return {"image": torch.stack(images), "mask": torch.stack(masks)}

    def forward(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, C + 1, h, w).

        Raises:
            CompatibilityError: `geometry` has no first stage, or one with other latent channels.
        """
        mask = batch["mask"]
        latents = encode_images(
            batch["image"].masked_fill(mask, self.config.hole_value),
            geometry,
            self.config.latent_channels,
            "masked images",
        )
        if self.config.zero_repainted:
            shares = adaptive_avg_pool2d((~mask).to(latents), (latents.shape[2], latents.shape[3]))
            channel = self.config.mask_values[0] * shares
            latents = latents * (shares > 0)
        else:
            channel = self._mask_channel(mask, latents)
        channels = [channel, latents] if self.config.mask_first else [latents, channel]
        return ConditionPart(spatial=torch.cat(channels, dim=1))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the part of a picture that is masked everywhere."""
        device, dtype = place_of_first_stage(geometry)
        if self.config.zero_repainted:
            zeros = zero_map(rows, self.config.latent_channels + 1, geometry)
            return ConditionPart(spatial=zeros.to(dtype))
        image = torch.zeros(1, 3, *geometry.size, device=device)
        mask = torch.ones(1, 1, *geometry.size, dtype=torch.bool, device=device)
        one = self.forward({"image": image, "mask": mask}, geometry).spatial
        assert one is not None
        return ConditionPart(spatial=one.expand(rows, -1, -1, -1))

    def _mask_channel(self, mask: Tensor, latents: Tensor) -> Tensor:
        """Return the mask (B, 1, H, W) at the size of latents."""
        kept, repainted = self.config.mask_values
        # nearest: the upper left pixel of each cell, as in the published models
        cells = interpolate(mask.to(latents.dtype), latents.shape[2:], mode="nearest")
        return kept + (repainted - kept) * cells

    def _require_mask(self, value: Inpainting) -> PIL.Image.Image:
        if value.mask is None:
            raise InvalidInputError(
                "inpainting needs an image and a mask: {'image': ..., 'mask': ...}; white in the "
                "mask is repainted"
            )
        return value.mask
