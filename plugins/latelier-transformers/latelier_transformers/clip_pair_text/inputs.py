"""Configuration of the pair of CLIP text encoders. Its input is a `Text`."""

from typing import Self

from latelier import ConditionerConfig, OutputSpec
from latelier.contracts.bounds import Width
from pydantic import Field, model_validator

from latelier_transformers.clip_text.inputs import ClipTextConfig


class ClipPairTextConfig(ConditionerConfig):
    """Two CLIP text encoders that read the same text.

    In SDXL both have `layer` penultimate, no final norm and, for an empty negative prompt, `null`
    zeros; `clip_g` alone has a vector, `pooled` projected.
    """

    clip_l: ClipTextConfig = Field(description="the first: OpenAI's ViT-L/14")
    clip_g: ClipTextConfig = Field(description="the second: OpenCLIP's ViT-bigG/14")
    width: Width | None = Field(
        None,
        description="width of the stream, filled with zeros (SD3: 4096); null: that of both",
    )

    def outputs(self) -> OutputSpec:
        first, second = self.clip_l.outputs(), self.clip_g.outputs()
        vector = (first.vector or 0) + (second.vector or 0)
        return OutputSpec(stream=self.width or self._joined_width, vector=vector or None)

    @property
    def _joined_width(self) -> int:
        return self.clip_l.hidden_size + self.clip_g.hidden_size

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "none" in (self.clip_l.layer, self.clip_g.layer):
            raise ValueError("layer='none' gives no stream, and those of both are joined")
        for name in ("max_position_embeddings", "prompt_syntax"):
            first, second = getattr(self.clip_l, name), getattr(self.clip_g, name)
            if first != second:
                raise ValueError(f"{name} differ: {first} and {second}")
        if self.width is not None and self.width < self._joined_width:
            raise ValueError(f"width={self.width} is below {self._joined_width}, that of both")
        return self
