"""What the layout conditioners are configured with and what a person gives them."""

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.inputs import Box
from latelier_conditioners.class_label.names import Label, check_names

Attribute = Literal["group", "occluded", "depiction", "inside"]

ATTRIBUTES: dict[Attribute, int] = {"group": 1, "occluded": 2, "depiction": 4, "inside": 8}
"""Attributes of an object, with their bits in the published coding."""

CROP_TOKENS = 2

TOKENS_AN_OBJECT = 3


class ObjectsConfig(ConditionerConfig):
    """Which objects a layout may have."""

    num_classes: int = Field(ge=1, description="classes of objects")
    names: tuple[str, ...] = Field(default=(), description="names of all the classes, in order")
    max_objects_per_image: int = Field(default=30, ge=1, description="objects that fit")
    min_objects_per_image: int = Field(
        default=1, ge=0, description="fewest objects that the model was trained with"
    )
    min_object_area: float = Field(
        default=1e-5,
        ge=0,
        le=1,
        description="smallest object, as a share of the picture; training leaves smaller ones out",
    )

    @model_validator(mode="after")
    def _check_objects(self) -> Self:
        check_names(self.names, self.num_classes)
        if self.min_objects_per_image > self.max_objects_per_image:
            raise ValueError(
                f"min_objects_per_image={self.min_objects_per_image} is more than "
                f"max_objects_per_image={self.max_objects_per_image}"
            )
        return self


class LayoutConfig(ObjectsConfig):
    """The published coding: three tokens an object, two for the crop, through a transformer."""

    n_embed: int = Field(ge=1, description="width of the tokens it gives, and of the encoder")
    n_layer: int = Field(ge=0, description="transformer layers")
    vocab_size: int = Field(
        default=8192, ge=6, description="ids of classes and of places on the grid, shared"
    )
    use_group_parameter: bool = Field(
        default=False, description="objects may be a group: twice as many ids of classes"
    )
    use_additional_parameters: bool = Field(
        default=False, description="objects may be occluded, a depiction or seen from inside"
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.n_embed)

    @property
    def max_seq_len(self) -> int:
        """Tokens of every layout."""
        return TOKENS_AN_OBJECT * self.max_objects_per_image + CROP_TOKENS

    @property
    def none(self) -> int:
        """Id of what is not there: the last one."""
        return self.vocab_size - 1

    @property
    def sections(self) -> int:
        """Places along each side of the grid."""
        return math.isqrt(self.vocab_size)

    @property
    def attributes(self) -> frozenset[Attribute]:
        """Attributes that objects may have."""
        group: set[Attribute] = {"group"} if self.use_group_parameter else set()
        more: set[Attribute] = set(ATTRIBUTES) - {"group"}
        return frozenset(group | more if self.use_additional_parameters else group)

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        most = self.num_classes * (1 + sum(ATTRIBUTES[name] for name in self.attributes))
        if most > self.none:
            raise ValueError(
                f"{self.num_classes} classes with {len(self.attributes)} attributes need {most} "
                f"ids, but vocab_size={self.vocab_size} leaves {self.none}"
            )
        if self.sections**2 > self.none:
            raise ValueError(
                f"vocab_size={self.vocab_size} is a square, which leaves no id for 'none'; "
                f"{self.vocab_size + 1} would do"
            )
        return self


class LayoutFourierConfig(ObjectsConfig):
    """One token an object, of its class and of its exact box, through a small transformer."""

    width: int = Field(ge=1, description="width of the tokens it gives, and of the encoder")
    layers: int = Field(default=2, ge=0, description="transformer layers")
    heads: int = Field(default=4, ge=1, description="attention heads; they divide the width")
    frequencies: int = Field(
        default=8, ge=1, le=16, description="octaves in which each coordinate is seen"
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.width)

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class LayoutObject(Frozen):
    """One object of a layout."""

    label: Label = Field(
        description="its class: the number, from 0, or the name where the model has names"
    )
    box: Box = Field(description="where it is in the picture")
    group: bool = Field(default=False, description="several of the kind in one box")
    occluded: bool = Field(default=False, description="partly hidden")
    depiction: bool = Field(default=False, description="a drawing or a statue of it")
    inside: bool = Field(default=False, description="seen from inside")

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Those of its attributes that are set."""
        return tuple(name for name in ATTRIBUTES if getattr(self, name))

    @property
    def area(self) -> float:
        """Share of the picture that its box covers."""
        return (self.box.x1 - self.box.x0) * (self.box.y1 - self.box.y0)


class Layout(Frozen):
    """Which objects are where. One object alone may be given without the list around it."""

    objects: tuple[LayoutObject, ...] = Field(description="the objects")

    @model_validator(mode="before")
    @classmethod
    def _from_one_object(cls, value: Any) -> Any:
        if isinstance(value, dict) and "objects" not in value and {"box", "label"} & value.keys():
            return {"objects": [value]}
        return value
