"""Reading the inputs of conditioners; boxes and colours, for their fields.

Box: x0, y0, x1, y1 in 0..1, from the upper left corner (format "box").
Color: "#rrggbb"; given as that or as a CSS name (format "color").
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen, validate

M = TypeVar("M", bound=BaseModel)

MAX_DEPTH = 32
"""How deep lists and mappings of a request may be nested: recursion over them is safe."""


def is_too_deep(value: Any) -> bool:
    """Return whether lists and mappings are nested more than MAX_DEPTH deep."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, list | tuple | Mapping)]:
        depth += 1
        if depth > MAX_DEPTH:
            return True
        children = (each.values() if isinstance(each, Mapping) else each for each in level)
        level = [child for each in children for child in each]
    return False


class Box(Frozen, json_schema_extra={"format": "box"}):
    """A rectangle of the picture: corners in 0..1, from the upper left. Also read from a list."""

    x0: float = Field(ge=0, le=1)
    y0: float = Field(ge=0, le=1)
    x1: float = Field(ge=0, le=1)
    y1: float = Field(ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if len(value) != 4:
                raise ValueError(f"a box is x0, y0, x1, y1, not {len(value)} numbers")
            return dict(zip(("x0", "y0", "x1", "y1"), value, strict=True))
        return value

    @model_validator(mode="after")
    def _has_area(self) -> "Box":
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise ValueError("a box needs x0 < x1 and y0 < y1")
        return self

    @classmethod
    def of_pixels(cls, bounds: tuple[int, int, int, int], size: tuple[int, int]) -> Self:
        """Return the box of left, top, right and bottom in a picture of `size` (width, height)."""
        left, top, right, bottom = bounds
        width, height = size
        return cls(x0=left / width, y0=top / height, x1=right / width, y1=bottom / height)

    def to_pixels(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom in a picture of `size` (width, height)."""
        width, height = size
        return self.x0 * width, self.y0 * height, self.x1 * width, self.y1 * height

    def overlaps(self, corners: tuple[float, float, float, float]) -> bool:
        """Return whether it shares an area with a rectangle x0, y0, x1, y1."""
        x0, y0, x1, y1 = corners
        return self.x0 < x1 and x0 < self.x1 and self.y0 < y1 and y0 < self.y1


def _read_color(value: Any) -> str:
    from PIL import ImageColor

    try:
        r, g, b = ImageColor.getrgb(value)[:3]
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"a color is '#rrggbb' or a CSS name, not {value!r}") from None
    return f"#{r:02x}{g:02x}{b:02x}"


Color = Annotated[
    str, BeforeValidator(_read_color), WithJsonSchema({"type": "string", "format": "color"})
]


def read_input(model: type[M], value: Any, what: str, *, trusted: bool = True) -> M:
    """Return `value` as a `model`. A value that is not a mapping fills the one required field.

    Args:
        model: the class.
        value: a `model`, a mapping of its fields, or the value of its one required field.
        what: the input's name; errors begin with it.
        trusted: False for a value from a client, such as the JSON of a request: pictures are
            data URIs, no path is opened, and their size is checked before they are decoded.

    Raises:
        InvalidInputError: the value does not fit. `field` is the path of the value at fault.
    """
    if isinstance(value, model):
        return value
    try:
        fields = value if isinstance(value, dict) else {bare_field(model, what): value}
        return validate(model, fields, what, InvalidInputError, trusted=trusted)
    except InvalidInputError as error:
        error.field = what if error.field is None else f"{what}.{error.field}"
        raise


def bare_field(model: type[BaseModel], what: str) -> str:
    """Return the name of the field that a value without a field's name fills.

    Raises:
        InvalidInputError: the model has several fields, and not exactly one is required.
    """
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    fields = required or list(model.model_fields)
    if len(fields) != 1:
        raise InvalidInputError(
            f"{what} takes a mapping with the fields {', '.join(model.model_fields)}"
        )
    return fields[0]
