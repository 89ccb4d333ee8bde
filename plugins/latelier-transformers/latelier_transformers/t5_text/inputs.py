"""Configuration of the T5 text conditioner. Its input is a `Text`."""

from typing import Any, Literal

from latelier import ConditionerConfig, OutputSpec
from latelier.contracts.bounds import Layers, Rows, Tokens, Width
from pydantic import Field

OWN_FIELDS = frozenset({"max_length", "padding"})
"""Fields that `T5Config` does not have."""


class T5TextConfig(ConditionerConfig):
    """T5's encoder. The fields of its network have the names of transformers' `T5Config`."""

    d_model: Width = Field(description="width of the encoder and of its tokens")
    d_ff: Width = Field(description="inner width of the feed-forward networks")
    num_layers: Layers = Field(ge=1, description="transformer layers")
    num_heads: Width = Field(description="attention heads")
    d_kv: Width = Field(64, description="width of a head; their sum may differ from d_model")
    feed_forward_proj: Literal["relu", "gated-gelu"] = Field(
        "gated-gelu", description="relu: T5; gated-gelu: T5 v1.1"
    )
    relative_attention_num_buckets: Tokens = Field(
        32, ge=4, description="number of buckets of distances between tokens"
    )
    relative_attention_max_distance: Tokens = Field(
        128, ge=2, description="distance from which on all share a bucket"
    )
    layer_norm_epsilon: float = Field(1e-6, gt=0, description="epsilon of the norms")
    vocab_size: Rows = Field(32128, ge=3, description="rows of the token table")
    max_length: Tokens = Field(
        128, ge=2, description="tokens of the longest text, including the end token"
    )
    padding: Literal["masked", "kept"] = Field(
        "masked",
        description="masked: no layer attends to the padding; kept: it is encoded and attended to, "
        "as in SD3 and FLUX",
    )

    def network(self) -> dict[str, Any]:
        """Return the fields of transformers' `T5Config`."""
        return self.model_dump(exclude=set(OWN_FIELDS))

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.d_model)
