"""Configuration of the first stage of pixel-space diffusion."""

from pydantic import Field

from latelier.kernel.slots import FirstStageConfig


class IdentityConfig(FirstStageConfig):
    """Latents that are the images themselves."""

    channels: int = Field(default=3, ge=1, description="channels of the images")
    scale_factor: float = Field(default=1.0, gt=0, description="latents are multiplied by it")

    @property
    def downsampling(self) -> int:
        """Factor f: 1."""
        return 1

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.channels
