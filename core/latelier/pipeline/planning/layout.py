"""How the pictures of a run are divided: into batches and, if large, windows and tiles."""

from dataclasses import dataclass
from typing import Any

import torch

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.first_stages.tiling.tiling import Tileable
from latelier.nn.memory import format_gigabytes, free_memory
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.memory import (
    SHARE,
    check_pictures_fit,
    decoding_bytes,
    name_options,
    tiled_decoding_bytes,
)
from latelier.pipeline.request import Request, Size
from latelier.pipeline.tiling.multidiffusion import Windowing, read_windowing
from latelier.pipeline.tiling.tiled_first_stage import read_tile, with_tiles

PIXELS_AT_ONCE = {"cpu": 256 * 256, "gpu": 1024 * 1024}
"""Pixels in a batch by default, unless fewer fit in the memory. More are hardly faster."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the pictures of a run are divided.

    Attributes:
        geometry: of a picture.
        first_stage: the pipeline's, with tiling if `tile` is not 0.
        preview_decoder: what decodes previews, with tiling if it can; the same by default.
        tile: side of a tile in pixels; 0 for none.
        batch_size: most pictures of a batch.
        windowing: how pictures are denoised in windows; None for one piece.
        notes: what the free memory decided, human-readable, with fields in backticks.
    """

    geometry: PictureGeometry
    first_stage: FirstStage
    preview_decoder: FirstStage
    tile: int
    batch_size: int
    windowing: Windowing | None
    notes: tuple[str, ...]

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request that this completes."""
        fields: dict[str, Any] = {"tile": self.tile, "batch_size": self.batch_size}
        return fields if self.windowing is None else fields | vars(self.windowing)


def choose_layout(parts: PipelineParts, request: Request, size: Size, count: int) -> Layout:
    """Return how `count` pictures of `size` are divided, by the request or by default.

    Raises:
        InvalidInputError: the model cannot take a window or tile of this size.
        CompatibilityError: the first stage cannot work in tiles.
        NotEnoughMemoryError: decoding does not fit in the free memory.
    """
    free = free_memory(parts.device)
    usable, needed = SHARE * free, decoding_bytes(parts.first_stage, size, parts.dtype)
    tile = read_tile(request, size, parts.first_stage, fits=needed <= usable)
    first_stage = with_tiles(parts.first_stage, tile)
    geometry = PictureGeometry.of_picture(*size, first_stage)
    fitting = count if tile else int(usable // needed)  # tiles decode one picture after the other
    default = max(1, min(fastest_batch_size(size, parts.device), fitting))
    batch_size = min(count, request.batch_size or default)
    tiled = request.model_copy(update={"tile": tile})
    _check_memory(parts, tiled, size, batch_size, needed=needed, free=free)
    windowing = read_windowing(request, geometry, parts.size_multiple, batch_size)
    notes = []
    if tile and request.tile is None:
        notes.append(
            f"`tile`: decoded in tiles of {tile} pixels, because the whole picture takes "
            f"{format_gigabytes(needed)}, and {format_gigabytes(free)} of memory is free"
        )
    previews = _preview_decoder(parts, first_stage, tile)
    return Layout(geometry, first_stage, previews, tile, batch_size, windowing, tuple(notes))


def _preview_decoder(parts: PipelineParts, first_stage: FirstStage, tile: int) -> FirstStage:
    if parts.preview_component is None:
        return first_stage
    module = parts.preview_component.module
    return with_tiles(module, tile if isinstance(module, Tileable) else 0)


def _check_memory(
    parts: PipelineParts, request: Request, size: Size, batch_size: int, *, needed: int, free: int
) -> None:
    """Check that the pictures of a batch can be decoded as the request says.

    Args:
        parts: the pipeline's.
        request: with the tile that the run uses.
        size: of a picture.
        batch_size: most pictures of a batch.
        needed: bytes to decode a picture in one call.
        free: bytes of the device.
    """
    if request.tile and parts.device.type != "cpu":
        return  # a tile fits in the memory of any accelerator; the maps are in main memory
    rows, total = batch_size, float(batch_size * needed)
    if request.tile:
        rows = 1
        total = tiled_decoding_bytes(parts.first_stage, size, request.tile, parts.dtype)
    options = name_options(rows, request, parts.first_stage, parts.dtype)
    check_pictures_fit(total, free, rows, size, parts.device, options)


def fastest_batch_size(size: Size, device: torch.device) -> int:
    """Return how many pictures of a size are worth making at once."""
    width, height = size
    return max(1, PIXELS_AT_ONCE["cpu" if device.type == "cpu" else "gpu"] // (width * height))
