"""Configuration and input of the layout conditioners."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.bounds import Layers, Rows, Tokens, Width
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.inputs import Box
from latelier_conditioners.common.labels import Label, check_names, label_schema

Attribute = Literal["group", "occluded", "depiction", "inside"]

ATTRIBUTES: dict[Attribute, int] = {"group": 1, "occluded": 2, "depiction": 4, "inside": 8}
"""Attributes of an object, with their bits in the published encoding."""

CROP_TOKENS = 2

TOKENS_PER_OBJECT = 3


class ObjectsConfig(ConditionerConfig):
    """Limits of a layout: its classes, and the number and size of its objects."""

    num_classes: Rows = Field(ge=1, description="number of classes of objects")
    names: tuple[str, ...] = Field(default=(), description="names of all the classes, in order")
    max_objects_per_image: Tokens = Field(default=30, ge=1, description="objects that fit")
    min_objects_per_image: Tokens = Field(
        default=1, ge=0, description="fewest objects of a layout in training"
    )
    min_object_area: float = Field(
        default=1e-5,
        ge=0,
        le=1,
        description="area of the smallest object, 1 for the whole picture; training drops smaller "
        "ones",
    )

    def input_schema(self, schema: dict[str, Any], /) -> dict[str, Any]:
        fields = schema["$defs"]["LayoutObject"]["properties"]
        fields["label"] |= label_schema(self.names, self.num_classes)
        schema["properties"]["objects"] |= {
            "minItems": self.min_objects_per_image,
            "maxItems": self.max_objects_per_image,
        }
        return schema

    @property
    def reference_role(self) -> Literal["layout"]:
        return "layout"

    def vocabulary(self, _assets: Mapping[str, bytes], /) -> Sequence[str]:
        return self.names

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
    """The published encoding: three tokens an object, two for the crop, through a transformer."""

    n_embed: Width = Field(description="width of the encoder and of its tokens")
    n_layer: Layers = Field(ge=0, description="transformer layers")
    vocab_size: Rows = Field(
        default=8192,
        ge=6,
        description="token ids, shared by classes and positions on the grid",
    )
    use_group_parameter: bool = Field(
        default=False, description="allow groups of objects, which doubles the ids of classes"
    )
    use_additional_parameters: bool = Field(
        default=False, description="allow objects that are occluded, depicted, or seen from inside"
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.n_embed)

    @property
    def max_seq_len(self) -> int:
        """Number of tokens of every layout."""
        return TOKENS_PER_OBJECT * self.max_objects_per_image + CROP_TOKENS

    @property
    def none(self) -> int:
        """Token id of an absent object: the last one."""
        return self.vocab_size - 1

    @property
    def sections(self) -> int:
        """Positions along each side of the grid."""
        return math.isqrt(self.vocab_size)

    @property
    def attributes(self) -> frozenset[Attribute]:
        """Attributes that the model supports."""
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


class LayoutObject(Frozen):
    """An object, and the box around its place."""

    label: Label = Field(
        description="class: its number, from 0, or its name if the model has names"
    )
    box: Box = Field(description="position in the picture")
    group: bool = Field(default=False, description="several objects of the class in one box")
    occluded: bool = Field(default=False, description="partly hidden")
    depiction: bool = Field(default=False, description="a drawing or a statue of it")
    inside: bool = Field(default=False, description="seen from inside")

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are set."""
        return tuple(name for name in ATTRIBUTES if getattr(self, name))

    @property
    def area(self) -> float:
        """Share of the picture that the box covers."""
        return (self.box.x1 - self.box.x0) * (self.box.y1 - self.box.y0)


class Layout(Frozen):
    """What should be where: objects, each with a box around its place.

    A single object needs no list around it.
    """

    objects: tuple[LayoutObject, ...] = Field(description="the objects")

    @model_validator(mode="before")
    @classmethod
    def _from_one_object(cls, value: Any) -> Any:
        if isinstance(value, dict) and "objects" not in value and {"box", "label"} & value.keys():
            return {"objects": [value]}
        return value
