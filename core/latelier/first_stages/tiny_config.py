"""Configuration of the tiny autoencoder, in the names of diffusers' AutoencoderTiny.

`z_channels` is its `latent_channels`, `scale_factor` its `scaling_factor`.
"""

from typing import Self

from pydantic import Field, model_validator

from latelier.kernel.slots import FirstStageConfig


class TinyAutoencoderConfig(FirstStageConfig):
    """Shape of a `TinyAutoencoder`. The defaults are those of TAESD."""

    in_channels: int = Field(default=3, ge=1, description="channels of the images given")
    out_channels: int = Field(default=3, ge=1, description="channels of the images returned")
    encoder_block_out_channels: tuple[int, ...] = Field(
        default=(64, 64, 64, 64), min_length=1, description="channels of each stage, all the same"
    )
    decoder_block_out_channels: tuple[int, ...] = Field(
        default=(64, 64, 64, 64), min_length=1, description="channels of each stage, all the same"
    )
    num_encoder_blocks: tuple[int, ...] = Field(
        default=(1, 3, 3, 3), description="blocks of each stage, from the highest resolution"
    )
    num_decoder_blocks: tuple[int, ...] = Field(
        default=(3, 3, 3, 1), description="blocks of each stage, from the lowest resolution"
    )
    z_channels: int = Field(default=4, ge=1, description="channels of the latents")
    latent_magnitude: float = Field(
        default=3.0, gt=0, description="latents in +- this are kept where they are stored as images"
    )
    latent_shift: float = Field(
        default=0.5, description="value in 0..1 that stands for 0 where latents are stored so"
    )
    scale_factor: float = Field(default=1.0, gt=0, description="latents are multiplied by it")

    @model_validator(mode="after")
    def _stages_agree(self) -> Self:
        for side in ("encoder", "decoder"):
            widths: tuple[int, ...] = getattr(self, f"{side}_block_out_channels")
            blocks: tuple[int, ...] = getattr(self, f"num_{side}_blocks")
            if len(set(widths)) > 1:
                raise ValueError(f"{side}_block_out_channels must all be the same, not {widths}")
            if len(widths) != len(blocks):
                raise ValueError(
                    f"{side}_block_out_channels has {len(widths)} stages, "
                    f"num_{side}_blocks {len(blocks)}"
                )
        if len(self.num_encoder_blocks) != len(self.num_decoder_blocks):
            raise ValueError(
                f"the encoder has {len(self.num_encoder_blocks)} stages, "
                f"the decoder {len(self.num_decoder_blocks)}: each must undo the other's factor"
            )
        return self

    @property
    def downsampling(self) -> int:
        """Factor f: every stage but the first halves the sides."""
        return int(2 ** (len(self.num_encoder_blocks) - 1))

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.z_channels
