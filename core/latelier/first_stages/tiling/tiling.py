"""Encoding and decoding in tiles, in agreement with the whole.

Attention, and every layer whose map has no more positions than a tile, runs on the whole map. The
other layers run in tiles one after the other, with group norms that see the whole map, so there is
no seam to blend. Tiles bound what the device holds; the maps between layers lie in main memory and
grow with the picture.

exact: agrees with the whole within rounding: 1e-4 of the greatest value is promised, 1e-6 is usual.
    At most 2.5 times the largest map of the network's own width lies in main memory (kl-f8: 128
    channels at the picture's size); one call on the whole map holds 6 times as much and more.
not exact: at least 45 dB from the whole (peak to peak 2), 53 dB and more in what was measured. It
    does not compute a convolution of each level twice, as the exact one does, and keeps the maps in
    between in 16 bits: 2 times the map above.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor

from latelier.contracts.components import FirstStage
from latelier.contracts.errors import CompatibilityError


@runtime_checkable
class Tileable(Protocol):
    """A first stage that can work in tiles, as the built-in ones can."""

    def encode_tiled(self, images: Tensor, /, *, tile: int, exact: bool) -> Tensor:
        """Return what its `encode` returns."""
        ...

    def decode_tiled(self, latents: Tensor, /, *, tile: int, exact: bool) -> Tensor:
        """Return what its `decode` returns."""
        ...


def encode_tiled(
    first_stage: FirstStage, images: Tensor, *, tile: int = 256, exact: bool = True
) -> Tensor:
    """Return the latents (B, C, H / f, W / f) of images (B, 3, H, W), without gradients.

    tile: side of a tile in pixels, a multiple of f.

    Raises:
        InvalidInputError: the images or the tile have a size that the first stage cannot take.
        CompatibilityError: the first stage cannot work in tiles.
    """
    return _tileable(first_stage).encode_tiled(images, tile=tile, exact=exact)


def decode_tiled(
    first_stage: FirstStage, latents: Tensor, *, tile: int = 256, exact: bool = True
) -> Tensor:
    """Return the images (B, 3, H, W) of latents (B, C, H / f, W / f), without gradients.

    tile: side of a tile in pixels of the image, a multiple of f.

    Raises:
        InvalidInputError: the latents or the tile have a shape that the first stage cannot take.
        CompatibilityError: the first stage cannot work in tiles.
    """
    return _tileable(first_stage).decode_tiled(latents, tile=tile, exact=exact)


def _tileable(first_stage: FirstStage) -> Tileable:
    if not isinstance(first_stage, Tileable):
        raise CompatibilityError(
            f"first stage {type(first_stage).__name__} cannot work in tiles: "
            "it has no encode_tiled and decode_tiled"
        )
    return first_stage
