"""Configuration of the CLIP text conditioner. Its input is a `Text`."""

from typing import Any, Literal, Self

from latelier import ConditionerConfig, OutputSpec
from latelier.contracts.bounds import Layers, Rows, Tokens, Width
from pydantic import Field, model_validator

OWN_FIELDS = frozenset({"layer", "final_norm", "pooled", "null", "prompt_syntax"})
"""Fields that `CLIPTextConfig` does not have."""


class ClipTextConfig(ConditionerConfig):
    """CLIP's text encoder. The fields of its network have the names of `CLIPTextConfig`.

    The defaults are those of ViT-L/14, which Stable Diffusion 1.x uses. Stable Diffusion 2.x uses
    OpenCLIP ViT-H/14: hidden_size 1024, intermediate_size 4096, num_hidden_layers 24,
    num_attention_heads 16, hidden_act 'gelu', pad_token_id 0 and layer 'penultimate'. For a file
    with 23 layers: num_hidden_layers 23 and layer 'last'.
    """

    vocab_size: Rows = Field(49408, ge=3, description="rows of the token table")
    hidden_size: Width = Field(768, description="width of the encoder and of its tokens")
    intermediate_size: Width = Field(3072, description="inner width of the feed-forward nets")
    num_hidden_layers: Layers = Field(12, ge=1, description="transformer layers")
    num_attention_heads: Width = Field(12, description="heads; must divide hidden_size")
    max_position_embeddings: Tokens = Field(
        77,
        ge=3,
        description="tokens of every text, including start, end and padding",
    )
    hidden_act: Literal["quick_gelu", "gelu"] = Field(
        "quick_gelu",
        description="OpenAI: quick_gelu, x * sigmoid(1.702 x); OpenCLIP: gelu",
    )
    layer_norm_eps: float = Field(1e-5, gt=0, description="epsilon of the layer norms")
    bos_token_id: Rows = Field(49406, ge=0, description="id of the start token")
    eos_token_id: Rows = Field(49407, ge=0, description="id of the end token")
    pad_token_id: Rows = Field(
        49407,
        ge=0,
        description="id of the padding: the end token in SD 1.x, 0 ('!') in SD 2.x",
    )
    layer: Literal["last", "penultimate", "none"] = Field(
        "last",
        description="layer whose output is the stream; none: there is no stream, only a vector",
    )
    final_norm: bool = Field(
        True,
        description="whether the stream is after the final norm; it is not in SDXL and SD3",
    )
    pooled: Literal["none", "token", "projected"] = Field(
        "none",
        description="the vector: none; token: the last layer's output at the first end token, "
        "after the final norm; projected: that through the text projection",
    )
    null: Literal["empty", "zeros"] = Field(
        "empty",
        description="the null part: the encoding of the empty text, or zeros",
    )
    prompt_syntax: Literal["plain", "a1111", "comfyui"] = Field(
        "plain",
        description="plain: brackets are words, and a longer text is an error; a1111, comfyui: "
        "weights of words and prompts of any length, as these programs compute them",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(
            stream=None if self.layer == "none" else self.hidden_size,
            vector=None if self.pooled == "none" else self.hidden_size,
        )

    def network(self) -> dict[str, Any]:
        """Return the fields of transformers' `CLIPTextConfig`."""
        return self.model_dump(exclude=set(OWN_FIELDS))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads={self.num_attention_heads} does not divide "
                f"hidden_size={self.hidden_size}"
            )
        if max(self.bos_token_id, self.eos_token_id, self.pad_token_id) >= self.vocab_size:
            raise ValueError(f"a token id is not below vocab_size={self.vocab_size}")
        if self.layer == self.pooled == "none":
            raise ValueError("layer='none' gives no stream and pooled='none' no vector")
        return self
