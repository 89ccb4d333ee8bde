"""A network's feature maps while it is run in tiles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latelier.first_stages.tiling.chain import Plain, Step, run
from latelier.first_stages.tiling.moments import Moments
from latelier.first_stages.tiling.tiles import Area, Tile, tiles, total_scale


@dataclass(frozen=True)
class Setting:
    """How a network is run in tiles: its device and dtype, and that of the maps in between."""

    device: torch.device
    dtype: torch.dtype
    stored: torch.dtype


class FeatureMap:
    """A map that is computed, in tiles, from one that lies in main memory.

    values: that map. entry: the steps, without norm, from it to this one; they are computed
    whenever a tile is asked for. side: of a tile, in positions of `values`. moments: of this map,
    where they are known.
    """

    def __init__(
        self,
        values: Tensor,
        side: int,
        setting: Setting,
        entry: Sequence[Plain] = (),
        moments: Moments | None = None,
    ) -> None:
        self.values, self.side, self.setting, self.entry = values, side, setting, entry
        self._moments = moments

    def entered(self, entry: Sequence[Plain]) -> "FeatureMap":
        """Return the map that further steps make of it."""
        if not entry:
            return self
        return FeatureMap(self.values, self.side, self.setting, [*self.entry, *entry])

    def pieces(self, *more: Step) -> Iterator[tuple[Tile, Tensor]]:
        """Yield every tile with as much of the map as `more` steps need to see of it."""
        for tile in tiles(self.values.shape[2:], self.side, [*self.entry, *more]):
            seen = self.values[..., *tile.seen].to(self.setting.device, self.setting.dtype)
            yield tile, run(self.entry, seen)

    def moments(self) -> Moments:
        """Return its statistics."""
        if self._moments is None:
            self._moments = Moments()
            for tile, piece in self.pieces():
                self._moments.add(piece[..., *tile.own])
        return self._moments

    def blank(self) -> "BlankMap":
        """Return a map of this size, to be written in tiles."""
        factor = total_scale(self.entry)
        height, width = (int(length * factor) for length in self.values.shape[2:])
        return BlankMap((height, width), int(self.side * factor), self.setting)


class BlankMap:
    """A map in main memory that is being written in tiles; their statistics are gathered."""

    def __init__(self, size: tuple[int, int], side: int, setting: Setting) -> None:
        self._size, self._side, self._setting = size, side, setting
        self._values: Tensor | None = None
        self._moments = Moments()

    def put(self, place: Area, piece: Tensor) -> None:
        """Write a tile (B, C, h, w)."""
        if self._values is None:
            shape = (*piece.shape[:2], *self._size)
            self._values = torch.empty(shape, dtype=self._setting.stored)
        self._values[..., *place] = piece
        self._moments.add(piece)

    def written(self) -> FeatureMap:
        """Return it once every tile is written."""
        assert self._values is not None
        return FeatureMap(self._values, self._side, self._setting, moments=self._moments)
