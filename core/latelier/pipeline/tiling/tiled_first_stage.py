"""Encoding and decoding in tiles, in less memory than one call of the first stage takes."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from latelier.contracts.components import ConditionalFirstStage, FirstStage
from latelier.contracts.configs import FirstStageConfig
from latelier.contracts.errors import CompatibilityError
from latelier.first_stages.tiling.tiling import (
    Tileable,
    TileableKnown,
    decode_tiled,
    encode_tiled,
)
from latelier.pipeline.request import Request, Size, check_sides

TILE = 256
"""Default side of a tile in pixels."""


class TiledFirstStage(nn.Module):
    """Encodes and decodes in tiles, exactly, one picture after the other."""

    def __init__(self, first_stage: FirstStage, tile: int) -> None:
        super().__init__()
        self.first_stage = first_stage
        self.tile = tile

    @property
    def config(self) -> FirstStageConfig:
        """The configuration of the first stage."""
        return self.first_stage.config

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H / f, W / f) of images (B, 3, H, W), without gradients."""
        return _one_by_one(encode_tiled, self.first_stage, images, self.tile)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W) of latents (B, C, H / f, W / f), without gradients."""
        return _one_by_one(decode_tiled, self.first_stage, latents, self.tile)

    def add_known(self, images: Tensor, known: Tensor) -> Tensor:
        """Return decoded images (B, 3, H, W) with what inputs know of them, (B, 4 K, H, W)."""
        rows = zip(torch.split(images, 1), torch.split(known, 1), strict=True)
        return torch.cat([self._add_known_to_one(*row) for row in rows])

    def _add_known_to_one(self, image: Tensor, known: Tensor) -> Tensor:
        if isinstance(self.first_stage, TileableKnown):
            return self.first_stage.add_known_tiled(image, known, tile=self.tile)
        return cast("ConditionalFirstStage", self.first_stage).add_known(image, known)


def read_tile(request: Request, size: Size, first_stage: FirstStage, *, fits: bool) -> int:
    """Return the side of the tiles in which pictures of `size` are encoded and decoded; 0: whole.

    By default a picture that does not fit in the free memory goes through tiles, so that it does
    not run out of memory at the last step. Tiles agree with the whole within rounding. A first
    stage that has no tiles works on the whole, unless the request asks for tiles.

    Args:
        request: the request.
        size: of a picture.
        first_stage: the pipeline's.
        fits: whether one call on the whole picture fits in the free memory.

    Raises:
        InvalidInputError: the first stage cannot take a tile of this side.
        CompatibilityError: the request asks for tiles, and the first stage has none.
    """
    downsampling = first_stage.config.downsampling
    if request.tile is None:
        tile = max(downsampling, TILE // downsampling * downsampling)
        has_tiles = max(size) > tile and isinstance(first_stage, Tileable)
        return tile if has_tiles and not fits else 0
    if request.tile:
        check_sides("tile", {"side": request.tile}, downsampling)
        if not isinstance(first_stage, Tileable):
            raise CompatibilityError.of_field(
                "tile",
                f"the first stage {type(first_stage).__name__} cannot work in tiles: it has no "
                "encode_tiled and decode_tiled; 0 is the whole",
            )
    return request.tile


def with_tiles(first_stage: FirstStage, tile: int) -> FirstStage:
    """Return the first stage working in tiles of side `tile`; itself where that is 0."""
    return TiledFirstStage(first_stage, tile) if tile else first_stage


def _one_by_one(
    work: Callable[..., Tensor], first_stage: FirstStage, rows: Tensor, tile: int
) -> Tensor:
    return torch.cat([work(first_stage, row[None], tile=tile) for row in rows])
