"""Feature maps in main memory that a network reads and writes in tiles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latelier.first_stages.tiling.chain import PlainStep, Step, run_steps
from latelier.first_stages.tiling.moments import Moments
from latelier.first_stages.tiling.tiles import Area, Tile, split_map, total_scale


@dataclass(frozen=True)
class MapFormat:
    """Where and how maps are computed and stored.

    Attributes:
        device: where tiles are computed.
        dtype: of the computation.
        stored: dtype of the maps in main memory.
    """

    device: torch.device
    dtype: torch.dtype
    stored: torch.dtype


class FeatureMap:
    """A feature map, computed from stored values whenever a tile of it is read.

    Attributes:
        values: a map (B, C, h, w) in main memory.
        side: of a tile, in positions of `values`.
        format: of `values`, and of the maps that are written next.
        pending: steps without norm from `values` to this map.
    """

    def __init__(
        self,
        values: Tensor,
        side: int,
        format: MapFormat,  # noqa: A002
        pending: Sequence[PlainStep] = (),
        moments: Moments | None = None,
    ) -> None:
        self.values, self.side, self.format, self.pending = values, side, format, pending
        self._moments = moments

    def append_steps(self, steps: Sequence[PlainStep]) -> "FeatureMap":
        """Return the output of further steps over this map."""
        if not steps:
            return self
        return FeatureMap(self.values, self.side, self.format, [*self.pending, *steps])

    def read_tiles(self, *steps: Step) -> Iterator[tuple[Tile, Tensor]]:
        """Yield every tile of the output of `steps`, with the part of this map it depends on."""
        for tile in split_map(self.values.shape[2:], self.side, [*self.pending, *steps]):
            source = self.values[..., *tile.source].to(self.format.device, self.format.dtype)
            yield tile, run_steps(self.pending, source)

    def moments(self) -> Moments:
        """Return the statistics of the whole map."""
        if self._moments is None:
            self._moments = Moments()
            for tile, part in self.read_tiles():
                self._moments.add(part[..., *tile.interior])
        return self._moments

    def new_writer(self) -> "FeatureMapWriter":
        """Return a writer of a map of this map's size."""
        scale = total_scale(self.pending)
        height, width = (int(length * scale) for length in self.values.shape[2:])
        return FeatureMapWriter((height, width), int(self.side * scale), self.format)


class FeatureMapWriter:
    """Writes a map to main memory tile by tile, and accumulates its moments."""

    def __init__(self, size: tuple[int, int], side: int, format: MapFormat) -> None:  # noqa: A002
        self._size, self._side, self._format = size, side, format
        self._values: Tensor | None = None
        self._moments = Moments()

    def write(self, target: Area, tile: Tensor) -> None:
        """Write a tile (B, C, h, w)."""
        if self._values is None:
            shape = (*tile.shape[:2], *self._size)
            self._values = torch.empty(shape, dtype=self._format.stored)
        self._values[..., *target] = tile
        self._moments.add(tile)

    def finish(self) -> FeatureMap:
        """Return the map, of which every tile has been written."""
        assert self._values is not None
        return FeatureMap(self._values, self._side, self._format, moments=self._moments)
