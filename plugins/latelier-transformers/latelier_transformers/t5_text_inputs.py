"""What the T5 text conditioner is configured with."""

from typing import Literal

from latelier import ConditionerConfig, OutputSpec
from pydantic import Field


class T5TextConfig(ConditionerConfig):
    """T5's encoder. Fields have the names of transformers' `T5Config`, but for max_length."""

    d_model: int = Field(ge=1, description="width of the tokens it gives")
    d_ff: int = Field(ge=1, description="width inside the feed-forward nets")
    num_layers: int = Field(ge=1, description="transformer layers")
    num_heads: int = Field(ge=1, description="attention heads")
    d_kv: int = Field(64, ge=1, description="width of a head; heads need not add up to d_model")
    feed_forward_proj: Literal["relu", "gated-gelu"] = Field(
        "gated-gelu", description="relu: T5; gated-gelu: T5 v1.1"
    )
    relative_attention_num_buckets: int = Field(
        32, ge=4, description="classes of distances between tokens"
    )
    relative_attention_max_distance: int = Field(
        128, ge=2, description="distance from which on all are in one class"
    )
    layer_norm_epsilon: float = Field(1e-6, gt=0, description="epsilon of the norms")
    vocab_size: int = Field(32128, ge=3, description="rows of the token table")
    max_length: int = Field(
        128, ge=2, description="tokens of the longest text, the end token counted"
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.d_model, spatial=None, vector=None)
