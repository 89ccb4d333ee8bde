"""A first stage whose memory does not grow with the picture as that of one call does."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from latelier.contracts.components import FirstStage
from latelier.contracts.configs import FirstStageConfig
from latelier.contracts.errors import CompatibilityError
from latelier.first_stages.tiling.tiling import Tileable, decode_tiled, encode_tiled
from latelier.pipeline.request import Request, Side, check_sides

LARGEST_WHOLE = 512 * 512
"""Pixels of the largest picture that is encoded and decoded in one call where nothing is said."""

TILE = 256
"""Side of a tile in pixels where none is said."""


class TiledFirstStage(nn.Module):
    """Encodes and decodes in tiles, exactly, and one picture after the other."""

    def __init__(self, first_stage: FirstStage, tile: int) -> None:
        super().__init__()
        self.first_stage = first_stage
        self.tile = tile

    @property
    def config(self) -> FirstStageConfig:
        """That of the first stage."""
        return self.first_stage.config

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H / f, W / f) of images (B, 3, H, W), without gradients."""
        return _one_by_one(encode_tiled, self.first_stage, images, self.tile)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W) of latents (B, C, H / f, W / f), without gradients."""
        return _one_by_one(decode_tiled, self.first_stage, latents, self.tile)


def read_tile(request: Request, size: Side, first_stage: FirstStage) -> int:
    """Return the side of the tiles in which pictures of `size` are encoded and decoded; 0: whole.

    What a person expects is a picture: that a large one does not run out of memory at its last
    step, and that how it was decoded cannot be seen in it. So where nothing is said pictures above
    512 x 512 pixels go through tiles, which agree with the whole within rounding, and smaller ones,
    the size of what most models were trained on, through one call as they ever did. Who has the
    memory and wants the last second asks for 0. A first stage that cannot work in tiles is left to
    work whole, unless tiles were asked for.

    Raises:
        InvalidInputError: the tile has a side that the first stage cannot take.
        CompatibilityError: tiles were asked for, and the first stage has none.
    """
    f = first_stage.config.downsampling
    if request.tile is None:
        is_large = size[0] * size[1] > LARGEST_WHOLE
        return max(f, TILE // f * f) if is_large and isinstance(first_stage, Tileable) else 0
    if request.tile:
        check_sides("tile", {"side": request.tile}, f)
        if not isinstance(first_stage, Tileable):
            raise CompatibilityError(
                f"tile: the first stage {type(first_stage).__name__} cannot work in tiles: it has "
                "no encode_tiled and decode_tiled; 0 is the whole"
            )
    return request.tile


def in_tiles(first_stage: FirstStage, tile: int) -> FirstStage:
    """Return the first stage, working in tiles of that side; itself where it is 0."""
    return TiledFirstStage(first_stage, tile) if tile else first_stage


def _one_by_one(
    work: Callable[..., Tensor], first_stage: FirstStage, rows: Tensor, tile: int
) -> Tensor:
    return torch.cat([work(first_stage, row[None], tile=tile) for row in rows])
