"""The conditioner of reference pictures: what the objects look like, as latents."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, pixel_unshuffle

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.images.references import visible_box
from latelier_conditioners.common.references import check_references, put_over
from latelier_conditioners.common.spatial import encode_images, place_of_first_stage
from latelier_conditioners.references.inputs import PLACE_WIDTH, References, ReferencesConfig

FILLED = 0.92
"""Longest side of what a reference shows, 1 for the side of its canvas."""


class ReferencesConditioner(Conditioner[ReferencesConfig]):
    """Gives the latents of reference pictures as tokens, so that a model draws what it is shown.

    A semi-parametric model (Blattmann et al. 2022, arXiv:2204.11824) needs no weights for what its
    objects look like. The conditioner has none either: the first stage, which is not trained with
    it, encodes each picture over grey. A token is a patch of latents and alpha, followed by fixed
    sinusoids of its place and the slot of its picture. Empty slots are masked.
    """

    Input = References

    def prepare(
        self, inputs: Sequence[References], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "pictures" (B, K, 4, S, S) uint8 RGBA, premultiplied, and "mask" (B, K) bool.

        What each picture shows is cropped, resized and centred. K is the most pictures of an input,
        and at least 1.

        Raises:
            InvalidInputError: there are too many pictures, or a name in place of one.
        """
        for value in inputs:
            check_references(value.pictures, self.config.max_references)
        count = max([1, *(len(value.pictures) for value in inputs)])
        size = self.config.size
        pictures = torch.zeros(len(inputs), count, 4, size, size, dtype=torch.uint8)
        mask = torch.zeros(len(inputs), count, dtype=torch.bool)
        for row, value in enumerate(inputs):
            for slot, picture in enumerate(value.pictures):
                levels = torch.tensor(np.asarray(_centre(picture, size)))
                pictures[row, slot] = levels.permute(2, 0, 1)  # (S, S, 4) -> (4, S, S)
                mask[row, slot] = True
        return {"pictures": pictures, "mask": mask}

    def forward(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, K * N, width) of K pictures of N tokens each.

        Raises:
            CompatibilityError: `geometry` has no first stage, or one whose latents do not fit.
        """
        mask = batch["mask"]
        b, k = mask.shape
        shown = self._tokens(batch["pictures"].flatten(0, 1), geometry)
        n = shown.shape[1]
        slots = torch.eye(k, self.config.max_references, dtype=shown.dtype, device=shown.device)
        slots = slots[None, :, None].expand(b, k, n, -1)
        shown = rearrange(shown, "(b k) n d -> b k n d", b=b)
        tokens = rearrange(torch.cat([shown, slots], dim=3), "b k n d -> b (k n) d")
        return ConditionPart(Stream(tokens, mask.repeat_interleave(n, dim=1)))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return one masked token for `rows` rows: nothing is shown."""
        device, dtype = place_of_first_stage(geometry)
        tokens = torch.zeros(rows, 1, self.config.width, device=device, dtype=dtype)
        mask = torch.zeros(rows, 1, device=device, dtype=torch.bool)
        return ConditionPart(Stream(tokens, mask))

    def _tokens(self, pictures: Tensor, geometry: PictureGeometry) -> Tensor:
        """Return the tokens (R, N, width - K) of pictures (R, 4, S, S), without their slots."""
        _, dtype = place_of_first_stage(geometry)
        premultiplied = pictures.to(dtype) / 255
        latents = self._encode(put_over(premultiplied, 0.0), geometry)
        alpha = premultiplied[:, 3:]
        cells = adaptive_avg_pool2d(alpha, (latents.shape[2], latents.shape[3]))
        patches = pixel_unshuffle(torch.cat([latents, cells], dim=1), self.config.patch)
        places = _encode_places(*patches.shape[2:]).to(patches)
        tokens = rearrange(patches, "r c h w -> r (h w) c")
        return torch.cat([tokens, places.expand(len(tokens), -1, -1)], dim=2)

    def _encode(self, images: Tensor, geometry: PictureGeometry) -> Tensor:
        latents = encode_images(images, geometry, self.config.latent_channels, "references")
        height, width = latents.shape[2:]
        if height % self.config.patch or width % self.config.patch:
            raise CompatibilityError(
                f"the first stage gives latents of {width}x{height} for references; expected sides "
                f"that are multiples of patch={self.config.patch}"
            )
        return latents


def _centre(picture: PIL.Image.Image, size: int) -> PIL.Image.Image:
    """Return what an RGBA picture shows, centred on a square of `size`, premultiplied by alpha."""
    box = visible_box(picture)
    assert box is not None  # the type of the field has checked it
    shown = picture.crop(box).convert("RGBa")
    scale = FILLED * size / max(shown.size)
    width, height = (max(1, round(side * scale)) for side in shown.size)
    shown = shown.resize((width, height), PIL.Image.Resampling.BICUBIC)
    canvas = PIL.Image.new("RGBa", (size, size))
    canvas.paste(shown, ((size - width) // 2, (size - height) // 2))
    return canvas


def _encode_places(rows: int, columns: int) -> Tensor:
    """Return sinusoids (1, rows * columns, PLACE_WIDTH) of the places of tokens, in -1..1."""
    y, x = (torch.arange(0.5, count) / count for count in (rows, columns))
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).view(-1, 2, 1)
    angles = grid * math.pi * 2.0 ** torch.arange(PLACE_WIDTH // 4)  # (N, 2, PLACE_WIDTH / 4)
    return torch.cat([angles.sin(), angles.cos()], dim=2).view(1, -1, PLACE_WIDTH)
