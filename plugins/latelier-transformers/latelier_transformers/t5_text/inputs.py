"""Configuration of the T5 text conditioner. Its input is a `Text`."""

from typing import Literal

from latelier import ConditionerConfig, OutputSpec
from pydantic import Field


class T5TextConfig(ConditionerConfig):
    """T5's encoder. Fields other than max_length have the names of transformers' `T5Config`."""

    d_model: int = Field(ge=1, description="width of the encoder and of its tokens")
    d_ff: int = Field(ge=1, description="inner width of the feed-forward networks")
    num_layers: int = Field(ge=1, description="transformer layers")
    num_heads: int = Field(ge=1, description="attention heads")
    d_kv: int = Field(64, ge=1, description="width of a head; their sum may differ from d_model")
    feed_forward_proj: Literal["relu", "gated-gelu"] = Field(
        "gated-gelu", description="relu: T5; gated-gelu: T5 v1.1"
    )
    relative_attention_num_buckets: int = Field(
        32, ge=4, description="number of buckets of distances between tokens"
    )
    relative_attention_max_distance: int = Field(
        128, ge=2, description="distance from which on all share a bucket"
    )
    layer_norm_epsilon: float = Field(1e-6, gt=0, description="epsilon of the norms")
    vocab_size: int = Field(32128, ge=3, description="rows of the token table")
    max_length: int = Field(
        128, ge=2, description="tokens of the longest text, including the end token"
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.d_model)
