"""Types and ranges of the parameters of diffusers that are read."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from latelier.contracts.bounds import Blocks, Layers, Rows, Side, Width, Widths
from latelier.contracts.frozen import validate

_Positive = Annotated[float, Field(gt=0)]
_Listed = Field(strict=False)  # JSON has lists, which strict types do not take for tuples
_Sides = Annotated[tuple[Side, Side], _Listed]
_PerLevel = Width | Annotated[Widths, _Listed] | None
_OTHER_TUPLES = ("sample_size", "latents_mean", "latents_std")  # their length is not of levels
_Types = Annotated[tuple[str, ...], _Listed]


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class _LevelParameters(_Parameters):
    """Parameters of a network that changes resolution."""

    in_channels: Width
    out_channels: Width
    block_out_channels: Annotated[Widths, _Listed]
    down_block_types: _Types
    up_block_types: _Types
    layers_per_block: Blocks = Field(ge=1)
    norm_num_groups: Width

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        levels = len(self.block_out_channels)
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and name not in _OTHER_TUPLES and len(value) != levels:
                raise ValueError(f"{name} has {len(value)} levels, block_out_channels {levels}")
        return self


class AutoencoderParameters(_LevelParameters):
    """Parameters of AutoencoderKL and VQModel."""

    latent_channels: Width
    sample_size: Side | _Sides
    scaling_factor: _Positive
    shift_factor: float | None = None
    latents_mean: Annotated[tuple[float, ...], _Listed] | None = None
    latents_std: Annotated[tuple[_Positive, ...], _Listed] | None = None
    mid_block_add_attention: bool
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True
    num_vq_embeddings: Rows | None = Field(None, ge=1)
    vq_embed_dim: Width | None = None


class UNetParameters(_LevelParameters):
    """Parameters of UNet2DModel and UNet2DConditionModel."""

    sample_size: Side | _Sides | None = None
    attention_head_dim: _PerLevel
    num_attention_heads: _PerLevel = None
    cross_attention_dim: _PerLevel = None
    transformer_layers_per_block: _PerLevel = None
    dropout: float = Field(ge=0, lt=1)
    resnet_time_scale_shift: Literal["default", "scale_shift"]
    downsample_type: Literal["conv", "resnet"] = "conv"
    upsample_type: Literal["conv", "resnet"] = "conv"
    attn_norm_num_groups: Width | None = None
    use_linear_projection: bool = False
    num_class_embeds: Rows | None = Field(None, ge=1)
    addition_embed_type: Literal["text_time"] | None = None
    addition_time_embed_dim: Width | None = None
    projection_class_embeddings_input_dim: Width | None = None


class TransformerParameters(_Parameters):
    """Parameters of DiTTransformer2DModel."""

    num_attention_heads: Width
    attention_head_dim: Width
    in_channels: Width
    out_channels: Width | None
    num_layers: Layers = Field(ge=1)
    sample_size: Side
    patch_size: Side
    num_embeds_ada_norm: Rows | None = Field(None, ge=1)


class ClipParameters(_Parameters):
    """Parameters of CLIPTextModel."""

    num_hidden_layers: Layers | None = Field(None, ge=1)
    num_attention_heads: Width | None = None
    layer_norm_eps: float | None = Field(None, gt=0, lt=1)


def check_types(model: type[BaseModel], name: str, params: Mapping[str, Any]) -> None:
    """Check the types and ranges of the parameters of the class `name`.

    Raises:
        InvalidConfigError: a value has another type, or is out of range.
    """
    validate(model, params, f"'{name}'")
