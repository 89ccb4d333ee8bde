"""A faultless first stage, and faulty subclasses of it."""

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from latelier.contracts.errors import InvalidInputError


class Blocks(nn.Module):
    """Faultless: the pixels of a block are the channels of its latent, times learnt gains."""

    def __init__(self, config):
        super().__init__()
        self._config = config
        self.gain = nn.Parameter(torch.ones(3 * config.block**2))

    @property
    def config(self):
        return self._config

    def check(self, images):
        f = self._config.block
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % f or images.shape[3] % f:
            raise InvalidInputError(f"images are (B, 3, H, W), sides multiples of {f}")

    def encode(self, images):
        self.check(images)
        latents = pixel_unshuffle(images, self._config.block)
        return latents * self.gain[:, None, None] * self._config.scale_factor

    def decode(self, latents):
        blocks = latents / self._config.scale_factor / self.gain[:, None, None]
        return pixel_shuffle(blocks, self._config.block)


class Completing(Blocks):
    """Faultless: what is known covers the picture."""

    def add_known(self, images, known):
        if known.shape[1:] != (4, *images.shape[2:]):
            raise InvalidInputError(f"known pixels are (B, 4, H, W), not {tuple(known.shape)}")
        color, alpha = known.split([3, 1], dim=1)
        return 2 * color - alpha + (1 - alpha) * images

    def add_known_tiled(self, images, known, *, tile):
        return self.add_known(images, known)


class SeesTiles(Completing):
    def add_known_tiled(self, images, known, *, tile):
        return super().add_known_tiled(images, known, tile=tile) + 0.1


class TakesAnyKnown(Completing):
    def add_known(self, images, known):
        if known.shape[1] != 4:
            return images
        return super().add_known(images, known)


class ForgetsItsScale(Blocks):
    """Right for the default scale of 1."""

    def decode(self, latents):
        return super().decode(latents * self._config.scale_factor)


class ZeroToOne(Blocks):
    def decode(self, latents):
        return super().decode(latents) / 2 + 0.5


class Boasting(Blocks):
    pass


class CropsTheEdge(Blocks):
    def decode(self, latents):
        return super().decode(latents)[..., : -self._config.block]


class OfTheBatch(Blocks):
    def encode(self, images):
        return super().encode(images - images.mean(0, keepdim=True) * (len(images) > 1))

    def decode(self, latents):
        return super().decode(latents)


class Same(Blocks):
    def encode(self, images):
        return super().encode(torch.full_like(images, 0.5))


class DecodesDetached(Blocks):
    def decode(self, latents):
        with torch.no_grad():
            return super().decode(latents)

    def encode(self, images):
        return super().encode(images)


class TakesAnything(Blocks):
    def check(self, images):
        pass

    def encode(self, images):
        if images.ndim == 3:
            images = images[None]
        return super().encode(images[:, :3])
