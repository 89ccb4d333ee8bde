"""Configuration and input of the picture-size conditioner."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.bounds import Width
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen

Name = Literal["original_size", "crop", "target_size", "aesthetic_score"]

_MAX_SIDE = 16_384
Sides = tuple[Annotated[int, Field(ge=1, le=_MAX_SIDE)], Annotated[int, Field(ge=1, le=_MAX_SIDE)]]
Corner = tuple[Annotated[int, Field(ge=0, le=_MAX_SIDE)], Annotated[int, Field(ge=0, le=_MAX_SIDE)]]


class PictureSizeConfig(ConditionerConfig):
    """The numbers of Stable Diffusion XL about the size and cut of a training picture."""

    numbers: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        default=("original_size", "crop", "target_size"),
        description="what the model takes, in its order; SDXL's refiner takes original_size, crop "
        "and aesthetic_score",
    )
    width: Width = Field(default=256, ge=2, description="width of the sinusoids of each number")

    @property
    def is_kept_in_negative(self) -> bool:
        return True

    def outputs(self) -> OutputSpec:
        count = sum(1 if name == "aesthetic_score" else 2 for name in self.numbers)
        return OutputSpec(vector=count * self.width)

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        taken = {name: schema["properties"][name] for name in self.numbers}
        return {**schema, "properties": taken}

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        for name in self.numbers:
            if self.numbers.count(name) > 1:
                raise ValueError(f"numbers has '{name}' twice")
        return self


class PictureSize(Frozen):
    """How a training picture that this one is like was cut; by default it is as large, and whole.

    A small original size gives a picture like an enlarged one, a crop other than 0, 0 an object
    that is cut off (Podell et al. 2023, arXiv:2307.01952, section 2.2).
    """

    original_size: Sides | None = Field(
        default=None, description="width and height before the cut; null: those of the picture"
    )
    crop: Corner = Field(default=(0, 0), description="left and top of the cut, in pixels")
    target_size: Sides | None = Field(
        default=None, description="width and height after the cut; null: those of the picture"
    )
    aesthetic_score: float = Field(
        default=6.0, ge=0, le=10, description="how well people like the picture"
    )
