from pydantic import Field

from latelier import ConditionerConfig, Frozen, OutputSpec
from latelier.contracts.configs import DenoiserConfig, InputSpec, StreamSlot


class FluxConfig(DenoiserConfig):
    """FLUX.1; the defaults are those of schnell."""

    channels: int = Field(16, ge=1, description="channels of the latents")
    width: int = Field(3072, ge=1, description="width of the tokens")
    heads: int = Field(24, ge=1, description="heads of every attention")
    double_blocks: int = Field(19, ge=0, description="blocks with weights for text and image")
    single_blocks: int = Field(38, ge=0, description="blocks of one sequence")
    axes: tuple[int, ...] = Field((16, 56, 56), description="rotated numbers of a head, each axis")
    context: int = Field(4096, ge=1, description="width of the text's tokens")
    pooled: int = Field(768, ge=1, description="width of the text's vector")
    guidance: bool = Field(False, description="a distilled guidance is a condition, as in dev")

    @property
    def latent_channels(self):
        return self.channels

    @property
    def size_multiple(self):
        return 2

    @property
    def supports(self):
        return frozenset({"masks"})

    def inputs(self):
        vectors = {"clip": self.pooled} | ({"distilled_guidance": 1} if self.guidance else {})
        return InputSpec(
            streams={"t5": StreamSlot(width=self.context, injection="native")}, vectors=vectors
        )


class NumbersConfig(ConditionerConfig):
    width: int = Field(1, ge=1, description="how many numbers there are")
    is_kept: bool = Field(False, description="whether guidance keeps them")

    @property
    def is_kept_in_negative(self):
        return self.is_kept

    def outputs(self):
        return OutputSpec(vector=self.width)


class Numbers(Frozen):
    values: tuple[float, ...] = Field(description="the numbers")
