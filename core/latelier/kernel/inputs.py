"""Standard input types, each with a JSON-schema `format`, so that any host can draw a form.

Image: a PIL image; given as one, as a path, or as a data URI (format "image").
Mask: a PIL image of mode L, 255 = repaint, 0 = keep; given likewise (format "mask").
Box: x0, y0, x1, y1 in 0..1, from the upper left corner (format "box").
Color: "#rrggbb"; given as that or as a CSS name (format "color").
"""

import base64
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from latelier.kernel.errors import InvalidInputError
from latelier.kernel.frozen import Frozen, validated

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_PNG_URI = "data:image/png;base64,"
_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,")

M = TypeVar("M", bound=BaseModel)


class _ImageOf:
    """Annotation of a PIL image of one mode; Pillow is imported when an image is read."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: _read_image(value, self.mode),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _as_data_uri, when_used="json"
            ),
        )


Image = Annotated[Any, _ImageOf("RGB"), WithJsonSchema({"type": "string", "format": "image"})]
Mask = Annotated[Any, _ImageOf("L"), WithJsonSchema({"type": "string", "format": "mask"})]


def _read_image(value: Any, mode: str) -> "Picture":
    import PIL.Image

    if isinstance(value, PIL.Image.Image):
        return value.convert(mode)
    if not isinstance(value, str | Path):
        raise ValueError(f"an image is a PIL image, a path or a data URI, not {value!r:.80}")
    text = str(value)
    uri = _DATA_URI.match(text)
    try:
        source = io.BytesIO(base64.b64decode(text[uri.end() :], validate=True)) if uri else text
        with PIL.Image.open(source) as image:
            return image.convert(mode)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"no image can be read from {text[:80]!r}: {error}") from None


def _as_data_uri(image: "Picture") -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return _PNG_URI + base64.b64encode(buffer.getvalue()).decode()


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


def read_input(model: type[M], value: Any, what: str) -> M:
    """Return `value` as a `model`. A bare value fills the one required field.

    Raises:
        InvalidInputError: it does not fit; says which field of `what`, and what would be right.
    """
    if isinstance(value, model):
        return value
    fields = value if isinstance(value, dict) else {bare_field(model, what): value}
    return validated(model, fields, what, InvalidInputError)


def bare_field(model: type[BaseModel], what: str) -> str:
    """Return the name of the one field that a bare value fills.

    Raises:
        InvalidInputError: the model has not exactly one required field, nor only one field.
    """
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    fields = required or list(model.model_fields)
    if len(fields) != 1:
        raise InvalidInputError(
            f"{what} takes a mapping with the fields {', '.join(model.model_fields)}"
        )
    return fields[0]
