"""The configuration of LoRA training."""

from typing import Any, Literal

from pydantic import Field, field_validator
from typing_extensions import override

from latelier.contracts.frozen import Frozen
from latelier.training.configs.components import InputSource
from latelier.training.configs.denoiser import PredictionTraining


class LoraTarget(Frozen):
    """Layers to change, and the size of their changes."""

    layers: str = Field(
        min_length=1,
        description="address of a layer, such as denoiser.out.2; * stands for any characters",
    )
    rank: int | None = Field(
        default=None, ge=1, le=4096, description="rank r; null: that of the training"
    )
    alpha: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="changes are scaled by alpha / r; null: that of the training",
    )


ATTENTION = tuple(
    LoraTarget(layers=f"denoiser.*{name}")
    for name in (".to_q", ".to_k", ".to_v", ".to_out.0", ".qkv", ".attn.proj")
)
"""The projections of all attentions of the built-in denoisers."""


class LoraTraining(PredictionTraining):
    """Low-rank changes of the weights of a finished model (arXiv:2106.09685)."""

    model: str = Field(description="embedded name or folder of the model; it stays frozen")
    name: str = Field(
        default="lora", pattern=r"^[^\W\d]\w*$", description="name of the LoRA in pipelines"
    )
    targets: tuple[LoraTarget, ...] = Field(
        default=ATTENTION,
        min_length=1,
        description="layers of the denoiser and of conditioners, 'conditioners.NAME.LAYER'; the "
        "last one that names a layer decides its rank. A text stands for {layers: text}",
    )
    rank: int = Field(default=8, ge=1, le=4096, description="rank r of the changes")
    alpha: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="changes are scaled by alpha / r; null: the rank of each layer",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="dropout of the changes' inputs in training"
    )
    inputs: dict[str, InputSource] | None = Field(
        default=None,
        description="the model's inputs that training provides; null: those that data samples "
        "have a field for. The others are null",
    )
    drop_all: float = Field(
        default=0.05, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    layout: Literal["diffusers", "kohya", "latelier"] = Field(
        default="diffusers", description="names of layers in the file of the result"
    )
    description: str = Field(default="", description="one line, stored with the LoRA")
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts about it: data, licence, measurements"
    )

    @override
    def locate_first_stage(self) -> tuple[str, str]:
        return "model", self.model

    @field_validator("targets", mode="before")
    @classmethod
    def _from_texts(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"layers": each} if isinstance(each, str) else each for each in value]
