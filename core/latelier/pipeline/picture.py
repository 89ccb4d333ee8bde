"""What a run gives: previews on the way, pictures at the end."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from PIL import Image
from torch import Tensor

from latelier.provenance.png import write_png


@dataclass(frozen=True)
class Picture:
    """A finished picture: the image, its seed, and how it was made."""

    image: Image.Image
    seed: int
    provenance: dict[str, Any]

    def save(self, path: str | Path) -> None:
        """Write it as a PNG that carries its provenance."""
        write_png(Path(path), self.image, self.provenance)

    def copy(self) -> "Picture":
        """Return one that shares nothing with it."""
        return Picture(self.image.copy(), self.seed, deepcopy(self.provenance))


@dataclass(frozen=True, eq=False)
class Preview:
    """The state after step `step` of `steps` (counted from 1).

    latents: the estimate of the finished latents, (B, C, h, w).
    pictures: the finished pictures, after the last step only.
    """

    step: int
    steps: int
    sigma: float
    latents: Tensor
    decode: Callable[[Tensor], list[Image.Image]]
    pictures: tuple[Picture, ...] = ()

    @cached_property
    def images(self) -> list[Image.Image]:
        """The previews, decoded when they are first asked for."""
        if self.pictures:
            return [picture.image for picture in self.pictures]
        return self.decode(self.latents)

    @property
    def image(self) -> Image.Image:
        """The first of `images`."""
        return self.images[0]


class Snapshot:
    """Where a run stands after a step, for plugins that are told of it.

    Everything is a copy, made when it is asked for: what a plugin does to it reaches no run.
    """

    def __init__(self, latents: Tensor, decode: Callable[[Tensor], list[Image.Image]]) -> None:
        self._latents = latents
        self._decode = decode

    def latents(self) -> Tensor:
        """Return a copy of the estimate of the finished latents, (B, C, h, w)."""
        return self._latents.detach().clone()

    def images(self) -> list[Image.Image]:
        """Return what it looks like, decoded now."""
        return self._decode(self.latents())


class Copies(Sequence[Picture]):
    """Finished pictures, for plugins that are told of them: whoever looks at one gets a copy."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._pictures)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> "Copies": ...

    def __getitem__(self, index: int | slice) -> "Picture | Copies":
        """Return a copy of one, or several that are copied likewise."""
        if isinstance(index, slice):
            return Copies(self._pictures[index])
        return self._pictures[index].copy()
