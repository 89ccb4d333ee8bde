"""The picture that a run starts from, as tensors, and what of it stays.

What stays is held in `denoise`, so it works with every sampler and changes none. There the model
sees the original's latents, noised to the sigma at hand, and its estimate is the original itself.
The noise is the image's initial noise, the same at every sigma. In what stays an ODE sampler
started from it then goes the exact way x = alpha * latents + sigma * noise, and `denoise` is a
function of x and sigma, as second calls (Heun) and looks back (DPM-Solver++, PLMS) need. Noise
drawn anew for each call, as in the paper's code, would differ between two calls at one sigma.
Nothing more is drawn from the generators either: a seed's noise is the same without `keep`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d

from latelier.contracts.components import FirstStage
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import Denoise
from latelier.diffusion.processes.process import Process
from latelier.pipeline.editing.init_image import WHITE, Start


@dataclass(frozen=True, eq=False)
class Kept:
    """What stays.

    cells: (B, 1, h, w) bool; a latent cell stays only where all its pixels do.
    feather: (B, 1, H, W), the share of the original in the finished picture: 1 where pixels stay,
        falling to 0 within one cell's width around them.
    """

    cells: Tensor
    feather: Tensor


@dataclass(frozen=True, eq=False)
class Canvas:
    """The originals of all B images: images (B, 3, H, W) in [-1, 1], latents (B, C, h, w)."""

    images: Tensor
    latents: Tensor
    strength: float
    kept: Kept | None

    def first(self, process: Process, eps: Tensor, sigma: float) -> Tensor:
        """Return the first state (B, C, h, w) for unit noise `eps`: at strength 1 of noise alone.

        What stays begins on its own way in any case.
        """
        noised = process.noised(self.latents, eps, sigma)
        if self.strength < 1:
            return noised
        noise = process.initial(eps, sigma)
        return noise if self.kept is None else torch.where(self.kept.cells, noised, noise)

    def keeping(self, denoise: Denoise, process: Process, eps: Tensor) -> Denoise:
        """Return `denoise` with what stays held, noised by `eps` (B, C, h, w)."""
        if self.kept is None:
            return denoise
        cells, latents = self.kept.cells, self.latents

        def kept(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            seen = torch.where(cells, process.noised(latents, eps, sigma).to(x.dtype), x)
            return torch.where(cells, latents.to(x.dtype), denoise(seen, sigma))

        return kept

    def finished(self, images: Tensor) -> Tensor:
        """Return decoded `images` (B, 3, H, W) with the original's pixels where they stay."""
        if self.kept is None:
            return images
        return images.float().clamp(-1, 1).lerp(self.images, self.kept.feather)


def canvas(
    start: Start, first_stage: FirstStage, count: int, device: torch.device, dtype: torch.dtype
) -> Canvas:
    """Return the canvas of `count` images for pictures of the run's size; encodes them in `dtype`.

    Raises:
        InvalidInputError: a mask under which not one latent cell stays.
    """
    images = torch.stack([_pixels(image) for image in start.init_image]).to(device)
    images = images.permute(0, 3, 1, 2).contiguous() / 127.5 - 1  # (rows, H, W, 3) -> [-1, 1]
    latents = first_stage.encode(images.to(dtype)).float()
    kept = None
    if start.keep is not None:
        masks = torch.stack([_pixels(mask) for mask in start.keep]).to(device)
        kept = _kept(_spread(masks.unsqueeze(1) >= WHITE, count), first_stage.config.downsampling)
    return Canvas(_spread(images, count), _spread(latents, count), start.strength, kept)


def _kept(pixels: Tensor, f: int) -> Kept:
    """Return what stays for `pixels` (B, 1, H, W) bool, the first stage's factor being `f`."""
    white = pixels.float()
    cells = -max_pool2d(-white, f) == 1
    if not cells.flatten(1).any(1).all():
        raise InvalidInputError(
            f"keep: its white nowhere fills a cell of {f} x {f} pixels, the model's unit, so that "
            "the model would not see what stays; paint more of it white"
        )
    feather, grown = white, white
    for _ in range(f - 1):
        grown = max_pool2d(grown, 3, stride=1, padding=1)
        feather = feather + grown
    return Kept(cells, feather / f)


def _pixels(image: Image.Image) -> Tensor:
    """Return the levels of an image, float32: (H, W, 3), or (H, W) of a mask."""
    return torch.from_numpy(np.asarray(image).astype(np.float32))


def _spread(tensor: Tensor, count: int) -> Tensor:
    """Return `count` rows: each equally often, in order."""
    return tensor.repeat_interleave(count // len(tensor), dim=0)
