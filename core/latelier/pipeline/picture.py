"""The results of a run: a preview after each step, and pictures at the end."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from PIL import Image
from torch import Tensor

from latelier.provenance.image_files import ImageFormat, encode_image, write_image


@dataclass(frozen=True)
class Picture:
    """A finished picture.

    Attributes:
        image: RGB.
        seed: with it the picture can be made again alone.
        provenance: how it was made, as JSON values.
    """

    image: Image.Image
    seed: int
    provenance: dict[str, Any]

    def save(self, path: str | Path) -> None:
        """Write a file that carries its provenance: a PNG, or a JPEG where the suffix says so.

        Raises:
            InvalidInputError: the suffix is unknown, or the provenance is too long for a JPEG.
            OSError: the file cannot be written.
        """
        write_image(Path(path), self.image, self.provenance)

    def to_bytes(self, format: ImageFormat = "png") -> bytes:  # noqa: A002
        """Return the bytes of a file that carries its provenance, "png" or "jpeg".

        Raises:
            InvalidInputError: the format is unknown, or the provenance is too long for a JPEG.
        """
        return encode_image(self.image, self.provenance, format)

    def copy(self) -> "Picture":
        """Return a copy that shares nothing with this picture."""
        return Picture(self.image.copy(), self.seed, deepcopy(self.provenance))


@dataclass(frozen=True, eq=False)
class Preview:
    """The state of a batch after a step.

    Attributes:
        step: of `steps`, counted from 1.
        steps: of the batch.
        sigma: noise level after the step.
        latents: the estimate of the finished latents, (B, C, h, w).
        decode: makes images of latents.
        pictures: the finished pictures of the batch, after its last step only.
        batch: which batch it is, of `batches`, counted from 1.
        batches: of the run.
    """

    step: int
    steps: int
    sigma: float
    latents: Tensor
    decode: Callable[[Tensor], list[Image.Image]]
    pictures: tuple[Picture, ...] = ()
    batch: int = 1
    batches: int = 1

    @cached_property
    def images(self) -> list[Image.Image]:
        """The estimated images, decoded on first use."""
        if self.pictures:
            return [picture.image for picture in self.pictures]
        return self.decode(self.latents)

    @property
    def image(self) -> Image.Image:
        """The first of `images`."""
        return self.images[0]


class Snapshot:
    """The state of a run after a step, for lifecycle hooks.

    Everything in it is a copy, made on demand, so that a hook cannot change the run.
    """

    def __init__(self, latents: Tensor, decode: Callable[[Tensor], list[Image.Image]]) -> None:
        self._latents = latents
        self._decode = decode

    def latents(self) -> Tensor:
        """Return a copy of the estimate of the finished latents, (B, C, h, w)."""
        return self._latents.detach().clone()

    def images(self) -> list[Image.Image]:
        """Return the estimated images, decoded now."""
        return self._decode(self.latents())


class PictureCopies(Sequence[Picture]):
    """Finished pictures, for lifecycle hooks: every access returns a copy."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._pictures)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> "PictureCopies": ...

    def __getitem__(self, index: int | slice) -> "Picture | PictureCopies":
        """Return a copy of a picture, or a slice that copies on access."""
        if isinstance(index, slice):
            return PictureCopies(self._pictures[index])
        return self._pictures[index].copy()
