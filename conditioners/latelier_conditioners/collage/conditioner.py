"""The conditioner of collages: what objects look like, at their places, as latents."""

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, max_pool2d

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.cutout import Cutout, Pose
from latelier.contracts.inputs import Box
from latelier_conditioners.collage.inputs import BACKDROPS, Collage, CollageConfig
from latelier_conditioners.common.references import check_references, put_over
from latelier_conditioners.common.spatial import (
    encode_images,
    place_of_first_stage,
    zero_map,
)

_REACH = 2
"""Cells around a picture in which its latents are given."""


class CollageConditioner(Conditioner[CollageConfig]):
    """Concatenates the latents of a collage of reference pictures, and its alpha, to the latents.

    A semi-parametric model (Blattmann et al. 2022, arXiv:2204.11824) that is shown its objects at
    their places, as in Collage Diffusion (Sarukkai et al. 2023, arXiv:2303.00262): since each cell
    of the collage lies on the cell that it shows, convolutions copy it, and far fewer samples are
    needed than where attention must find it. The model joins the objects with what is behind them,
    and gives them shadows. It has no weights: the first stage, which is not trained with it,
    encodes the collage over each of `BACKDROPS`, so that a model sees what shines through and what
    an edge is over any colour, whose pixels lie between those over black and white. Cells that no
    picture is near are 0.
    """

    Input = Collage

    def prepare(self, inputs: Sequence[Collage], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "collage" (B, 4, H, W) uint8 RGBA, premultiplied.

        What each picture shows is mirrored, turned, and as large as fits its box, whose sides need
        not lie on pixels. Smaller boxes are in front.

        Raises:
            InvalidInputError: there are too many pictures, one has no box, or there is a name in
                place of a picture.
        """
        for value in inputs:
            check_references(value.pictures, self.config.max_references)
            if value.boxes is None:
                count = len(value.pictures)
                raise InvalidInputError(f"expected a box for each of {count} pictures, got none")
        collages = [np.asarray(_compose(value, geometry.size)) for value in inputs]
        return {"collage": torch.tensor(np.stack(collages)).permute(0, 3, 1, 2).contiguous()}

    def forward(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, K C + 1, h, w): latents over K backdrops, and alpha.

        Raises:
            CompatibilityError: `geometry` has no first stage, or one with other latent channels.
        """
        _, dtype = place_of_first_stage(geometry)
        collage = batch["collage"].to(dtype) / 255
        images = torch.cat([put_over(collage, level) for level in BACKDROPS])
        latents = encode_images(images, geometry, self.config.latent_channels, "collages")
        latents = rearrange(latents, "(k b) c h w -> b (k c) h w", k=len(BACKDROPS))
        shares = adaptive_avg_pool2d(collage[:, 3:], (latents.shape[2], latents.shape[3]))
        # a picture changes the latents beside it too
        is_near = max_pool2d((shares > 0).to(dtype), 2 * _REACH + 1, 1, _REACH)
        return ConditionPart(spatial=torch.cat([latents * is_near, shares], dim=1))

    def known_pixels(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> Tensor:
        """Return the collage (B, 4, H, W) in 0..1, premultiplied by alpha."""
        color, alpha = (batch["collage"].float() / 255).tensor_split([3], dim=1)
        # where a picture is turned or resized, its colour can overshoot
        return torch.cat([torch.minimum(color, alpha), alpha], dim=1)

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return zeros for `rows` rows: nothing is shown."""
        _, dtype = place_of_first_stage(geometry)
        zeros = zero_map(rows, self.config.channels, geometry)
        return ConditionPart(spatial=zeros.to(dtype))


def _compose(value: Collage, size: tuple[int, int]) -> PIL.Image.Image:
    """Return the collage (W, H) of an input, RGBa, so premultiplied by alpha."""
    height, width = size
    collage = PIL.Image.new("RGBa", (width, height))
    for number in _list_back_to_front(value):
        box, cutout = _box(value, number), Cutout(value.pictures[number].convert("RGBa"))
        extent = box.to_pixels((width, height))
        layer = cutout.draw_in(extent, _pose(value, number), (width, height))
        collage = _paste_over(collage, layer)
    return collage


def _list_back_to_front(value: Collage) -> list[int]:
    """Return the numbers of the pictures, the one with the largest box first."""

    def area(number: int) -> float:
        box = _box(value, number)
        return (box.x1 - box.x0) * (box.y1 - box.y0)

    return sorted(range(len(value.pictures)), key=area, reverse=True)


def _box(value: Collage, number: int) -> Box:
    assert value.boxes is not None  # `prepare` has checked it
    return value.boxes[number]


def _pose(value: Collage, number: int) -> Pose:
    return Pose(
        turn=0.0 if value.turns is None else value.turns[number],
        mirrored=value.mirrored is not None and value.mirrored[number],
    )


def _paste_over(below: PIL.Image.Image, above: PIL.Image.Image) -> PIL.Image.Image:
    """Return a premultiplied picture over another one of its size: a + (1 - alpha) b."""
    lower, upper = (np.asarray(each, dtype=np.uint16) for each in (below, above))
    mixed = upper + (lower * (255 - upper[..., 3:]) + 127) // 255
    levels = mixed.clip(0, 255).astype(np.uint8)
    return PIL.Image.frombytes("RGBa", below.size, levels.tobytes())
