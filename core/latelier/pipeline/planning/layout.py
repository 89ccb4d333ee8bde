"""How the pictures of a run are divided: into batches and, if large, windows and tiles."""

from dataclasses import dataclass
from typing import Any

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.request import Request, Size
from latelier.pipeline.tiling.multidiffusion import Windowing, read_windowing
from latelier.pipeline.tiling.tiled_first_stage import read_tile, with_tiles

PIXELS_AT_ONCE = {"cpu": 256 * 256, "gpu": 1024 * 1024}
"""Default number of pixels in a batch. Larger batches are hardly faster and need more memory."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the pictures of a run are divided.

    Attributes:
        geometry: of a picture.
        first_stage: the pipeline's, with tiling if `tile` is not 0.
        tile: side of a tile in pixels; 0 for none.
        batch_size: most pictures of a batch.
        windowing: how pictures are denoised in windows; None for one piece.
    """

    geometry: PictureGeometry
    first_stage: FirstStage
    tile: int
    batch_size: int
    windowing: Windowing | None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request that this completes."""
        fields: dict[str, Any] = {"tile": self.tile, "batch_size": self.batch_size}
        return fields if self.windowing is None else fields | vars(self.windowing)


def choose_layout(parts: PipelineParts, request: Request, size: Size, count: int) -> Layout:
    """Return how `count` pictures of `size` are divided, by the request or by default.

    Raises:
        InvalidInputError: the model cannot take a window or tile of this size.
        CompatibilityError: the first stage cannot work in tiles.
    """
    tile = read_tile(request, size, parts.first_stage)
    first_stage = with_tiles(parts.first_stage, tile)
    geometry = _geometry(size, first_stage)
    batch_size = min(count, request.batch_size or _default_batch_size(size, parts.device.type))
    windowing = read_windowing(request, geometry, parts.size_multiple, batch_size)
    return Layout(geometry, first_stage, tile, batch_size, windowing)


def _geometry(size: Size, first_stage: FirstStage) -> PictureGeometry:
    width, height = size
    f = first_stage.config.downsampling
    return PictureGeometry((height, width), (height // f, width // f), first_stage=first_stage)


def _default_batch_size(size: Size, device: str) -> int:
    width, height = size
    return max(1, PIXELS_AT_ONCE["cpu" if device == "cpu" else "gpu"] // (width * height))
