"""Inpainting with a model that was not trained for it.

Models that were trained for it take the mask as a condition: see `latelier_conditioners.mask`.

The known cells are held inside `denoise`, so every sampler works without a change. There the
model's input is the original's latents, noised to the current sigma, and its estimate is replaced
by the original. The noise is the image's initial noise, the same at every sigma. In known cells an
ODE sampler then follows x = alpha * latents + sigma * noise exactly, and `denoise` is a function of
x and sigma, as second calls (Heun) and multistep methods (DPM-Solver++, PLMS) need. New noise for
each call, as in RePaint's code, would differ between two calls at one sigma. It would also take
draws from the generators; here a seed has the same noise with and without a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d

from latelier.contracts.components import FirstStage
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.modes import WHITE
from latelier.contracts.images.pixels import normalize
from latelier.contracts.sampling import Denoise
from latelier.diffusion.processes.process import Process


@dataclass(frozen=True, eq=False)
class InpaintMask:
    """The known area of an image, which inpainting keeps.

    Attributes:
        known: (B, 1, h, w) bool, the latent cells that are known: those without a white pixel.
        feather: (B, 1, H, W) float32, the share of the original in the finished picture: 1 where
            pixels are known, falling to 0 within one cell's width around them.
    """

    known: Tensor
    feather: Tensor

    def select(self, rows: Sequence[int], device: torch.device) -> "InpaintMask":
        """Return the masks of these rows, on a device."""
        index = torch.tensor(rows)
        return InpaintMask(self.known[index].to(device), self.feather[index].to(device))


def make_inpaint_mask(masks: Sequence[Image.Image], downsampling: int) -> InpaintMask:
    """Return the known areas of masks of mode L, which are white where the image is repainted.

    Args:
        masks: of one size.
        downsampling: f, the side of a latent cell in pixels.

    Raises:
        InvalidInputError: a mask has no known latent cell.
    """
    levels = torch.stack([_to_tensor(mask) for mask in masks]).unsqueeze(1)
    stays = (levels < WHITE).float()  # (rows, 1, H, W)
    known = -max_pool2d(-stays, downsampling) == 1
    if not known.flatten(1).any(1).all():
        raise InvalidInputError.of_field(
            "mask",
            f"no black area covers a whole latent cell ({downsampling}x{downsampling} px), so "
            "nothing would be kept; paint more of it black, or leave `mask` out",
        )
    feather, grown = stays, stays
    for _ in range(downsampling - 1):
        grown = max_pool2d(grown, 3, stride=1, padding=1)
        feather = feather + grown
    return InpaintMask(known, feather / downsampling)


@dataclass(frozen=True, eq=False)
class InpaintState:
    """The initial images of a batch, as tensors, and their known areas.

    Attributes:
        images: (B, 3, H, W) in [-1, 1].
        latents: (B, C, h, w) float32.
        strength: above 0 and to 1; below 1 the run starts from the noised latents.
        mask: None where every cell may change.
    """

    images: Tensor
    latents: Tensor
    strength: float
    mask: InpaintMask | None

    def initial(self, process: Process, eps: Tensor, sigma: float) -> Tensor:
        """Return the first state (B, C, h, w) for unit noise `eps`.

        At strength 1 it is noise alone, except in known cells: they start from the noised original.
        """
        noised = process.noised(self.latents, eps, sigma)
        if self.strength < 1:
            return noised
        noise = process.initial(eps, sigma)
        return noise if self.mask is None else torch.where(self.mask.known, noised, noise)

    def hold_known(self, denoise: Denoise, process: Process, eps: Tensor) -> Denoise:
        """Return `denoise` with known cells held at the original, noised by `eps` (B, C, h, w)."""
        if self.mask is None:
            return denoise
        known, latents = self.mask.known, self.latents

        def denoise_with_mask(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            x_known = process.noised(latents, eps, sigma).to(x.dtype)
            x0 = denoise(torch.where(known, x_known, x), sigma)
            return torch.where(known, latents.to(x.dtype), x0)

        return denoise_with_mask

    def restore_known(self, images: Tensor) -> Tensor:
        """Return decoded `images` (B, 3, H, W) with the original's pixels where they are known."""
        if self.mask is None:
            return images
        return images.float().clamp(-1, 1).lerp(self.images, self.mask.feather)


def encode_init_images(
    pictures: Sequence[Image.Image],
    rows: Sequence[int],
    first_stage: FirstStage,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Return images (B, 3, H, W) in [-1, 1] and latents (B, C, h, w) of these rows of `pictures`.

    Each picture is encoded once, in `dtype`.
    """
    first = min(rows)
    used = pictures[first : max(rows) + 1]
    images = torch.stack([_to_tensor(picture) for picture in used]).to(device)
    images = normalize(
        images.permute(0, 3, 1, 2).contiguous()
    )  # (rows, H, W, 3) -> (rows, 3, H, W)
    latents = first_stage.encode(images.to(dtype)).float()
    index = torch.tensor([row - first for row in rows], device=device)
    return images[index], latents[index]


def _to_tensor(image: Image.Image) -> Tensor:
    """Return the levels of an image, float32: (H, W, 3), or (H, W) of a mask."""
    return torch.from_numpy(np.asarray(image).astype(np.float32))
