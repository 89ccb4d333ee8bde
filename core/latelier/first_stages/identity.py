"""The first stage of diffusion on pixels: LDM-1 of Rombach et al. 2022 (arXiv:2112.10752)."""

from torch import Tensor, nn

from latelier.first_stages.configs import IdentityConfig
from latelier.first_stages.shapes import check_images, check_latents


class Identity(nn.Module):
    """Latents are the images, times `config.scale_factor`. It has no weights."""

    def __init__(self, config: IdentityConfig) -> None:
        super().__init__()
        self._config = config

    @property
    def config(self) -> IdentityConfig:
        """The configuration that it was built with."""
        return self._config

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (B, C, H, W) of images of the same shape.

        Raises:
            InvalidInputError: the images do not have its number of channels.
        """
        check_images(images, self.config.channels, 1)
        return images * self.config.scale_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, C, H, W) of latents of the same shape.

        Raises:
            InvalidInputError: the latents do not have its number of channels.
        """
        check_latents(latents, self.config.channels)
        return latents / self.config.scale_factor

    def encode_tiled(self, images: Tensor, *, tile: int, exact: bool) -> Tensor:  # noqa: ARG002
        """Return what `encode` returns: there is nothing to cut."""
        return self.encode(images)

    def decode_tiled(self, latents: Tensor, *, tile: int, exact: bool) -> Tensor:  # noqa: ARG002
        """Return what `decode` returns: there is nothing to cut."""
        return self.decode(latents)
