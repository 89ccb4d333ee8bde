"""What the CLIP text conditioner is configured with."""

from typing import Literal, Self

from latelier import ConditionerConfig, OutputSpec
from pydantic import Field, model_validator


class ClipTextConfig(ConditionerConfig):
    """CLIP's text encoder; by default that of ViT-L/14, as Stable Diffusion 1.x uses it.

    Stable Diffusion 2.x uses that of OpenCLIP ViT-H/14: hidden_size 1024, intermediate_size 4096,
    num_hidden_layers 24, num_attention_heads 16, hidden_act 'gelu', pad_token_id 0 and layer
    'penultimate'; where a file holds 23 layers, num_hidden_layers 23 and layer 'last'. Fields have
    the names of transformers' `CLIPTextConfig`.
    """

    vocab_size: int = Field(49408, ge=3, description="rows of the token table")
    hidden_size: int = Field(768, ge=1, description="width of the tokens it gives")
    intermediate_size: int = Field(3072, ge=1, description="width inside the feed-forward nets")
    num_hidden_layers: int = Field(12, ge=1, description="transformer layers")
    num_attention_heads: int = Field(12, ge=1, description="heads; they divide hidden_size")
    max_position_embeddings: int = Field(
        77, ge=3, description="tokens of every text: start, end and padding are counted"
    )
    hidden_act: Literal["quick_gelu", "gelu"] = Field(
        "quick_gelu", description="quick_gelu: x * sigmoid(1.702 x), OpenAI's; gelu: OpenCLIP's"
    )
    layer_norm_eps: float = Field(1e-5, gt=0, description="epsilon of the layer norms")
    bos_token_id: int = Field(49406, ge=0, description="begins every text")
    eos_token_id: int = Field(49407, ge=0, description="ends every text")
    pad_token_id: int = Field(
        49407, ge=0, description="fills up: the end token in SD 1.x, 0 (a '!') in SD 2.x"
    )
    layer: Literal["last", "penultimate"] = Field(
        "last",
        description="the layer whose output is given, after the final norm",
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.hidden_size, spatial=None, vector=None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads={self.num_attention_heads} does not divide "
                f"hidden_size={self.hidden_size}"
            )
        if max(self.bos_token_id, self.eos_token_id, self.pad_token_id) >= self.vocab_size:
            raise ValueError(f"a token id is not below vocab_size={self.vocab_size}")
        return self
