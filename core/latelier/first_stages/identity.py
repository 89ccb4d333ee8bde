"""The first stage of diffusion on pixels: LDM-1 of Rombach et al. 2022 (arXiv:2112.10752)."""

from torch import Tensor

from latelier.first_stages.configs import IdentityConfig
from latelier.first_stages.shapes import check_images, check_latents
from latelier.first_stages.tiling.tiling import TilingMode
from latelier.nn.module import ConfiguredModule


class Identity(ConfiguredModule[IdentityConfig]):
    """Latents are the images, times `config.scale_factor`. It has no weights."""

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H, W) of images of the same shape.

        Raises:
            InvalidInputError: the images have a wrong shape.
        """
        check_images(images, self.config.channels, 1)
        return images * self.config.scale_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, C, H, W) of latents of the same shape.

        Raises:
            InvalidInputError: the latents have a wrong shape.
        """
        check_latents(latents, self.config.channels)
        return latents / self.config.scale_factor

    def encode_tiled(self, images: Tensor, *, tile: int, mode: TilingMode) -> Tensor:  # noqa: ARG002
        """Return the output of `encode`: one multiplication needs no tiles."""
        return self.encode(images)

    def decode_tiled(self, latents: Tensor, *, tile: int, mode: TilingMode) -> Tensor:  # noqa: ARG002
        """Return the output of `decode`: one division needs no tiles."""
        return self.decode(latents)
