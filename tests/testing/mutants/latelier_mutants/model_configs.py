"""Configs of first stages, denoisers, feature networks and measures, faultless and faulty."""

from pydantic import Field

from latelier.contracts.configs import DenoiserConfig, FirstStageConfig, InputSpec, StreamSlot
from latelier.contracts.frozen import Frozen


class BlocksConfig(FirstStageConfig):
    block: int = Field(2, ge=1, description="pixels along the side of a block")
    scale_factor: float = Field(1.0, gt=0, description="latents are multiplied by it")

    @property
    def downsampling(self) -> int:
        return self.block

    @property
    def latent_channels(self) -> int:
        return 3 * self.block**2


class CompletingConfig(BlocksConfig):
    @property
    def known_inputs(self) -> tuple[str, ...]:
        return ("hint",)


class BoastingConfig(BlocksConfig):
    @property
    def latent_channels(self) -> int:
        return 4


class MixerConfig(DenoiserConfig):
    width: int = Field(8, ge=1, description="width of its only layer")

    @property
    def latent_channels(self) -> int:
        return 4

    @property
    def supports(self) -> frozenset[str]:
        return frozenset({"masks"})

    def inputs(self) -> InputSpec:
        stream = StreamSlot(width=6, injection="named")
        return InputSpec(streams={"text": stream}, spatial={"map": 2}, vectors={"label": 5})


class UnmaskedConfig(MixerConfig):
    @property
    def supports(self) -> frozenset[str]:
        return frozenset()


class TilesConfig(Frozen):
    tiles: int = Field(2, ge=1, description="tiles in each direction")
