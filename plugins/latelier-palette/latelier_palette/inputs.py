"""Configuration and input of the palette conditioner."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from latelier import Color, ConditionerConfig, Frozen, Image, OutputSpec
from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, model_validator

MAX_COLORS = 8

Share = Annotated[float, Field(gt=0, le=1)]

_ROUNDING = 0.01
"""Tolerance of the sum of shares above 1: people write 0.34, 0.33, 0.34."""


class PaletteConfig(ConditionerConfig):
    """One token for each colour."""

    width: int = Field(128, ge=1, description="width of the tokens")
    octaves: int = Field(
        3, ge=0, le=8, description="octaves of the Fourier features of a coordinate"
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width)


class Palette(Frozen, json_schema_extra={"format": "palette"}):
    """Colours of the picture, in any order.

    A picture in place of the colours stands for its dominant colours with their shares.
    """

    colors: tuple[Color, ...] = Field(
        min_length=1,
        max_length=MAX_COLORS,
        description=f"1 to {MAX_COLORS} colours, or a picture to take them from",
    )
    shares: tuple[Share, ...] | None = Field(
        None, description="share of the picture for each colour, 0..1; none: the model decides"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_picture(cls, fields: Any, info: ValidationInfo) -> Any:
        if not isinstance(fields, Mapping) or "colors" not in fields:
            return fields
        colors = fields["colors"]
        alone = isinstance(colors, list | tuple) and len(colors) == 1
        given = colors[0] if alone else colors  # a form with one row gives a list
        if _is_color(given):
            return {**fields, "colors": [given]}
        if isinstance(given, list | tuple):
            return fields
        others = {name: value for name, value in fields.items() if name != "colors"}
        return {**_from_picture_value(given, info.context), **others}

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.shares is None:
            return self
        if len(self.shares) != len(self.colors):
            raise ValueError(
                f"expected as many shares as colors, not {len(self.shares)} and {len(self.colors)}"
            )
        if sum(self.shares) > 1 + _ROUNDING:
            raise ValueError(f"the shares add up to {sum(self.shares):g}, expected at most 1")
        return self


_COLOR: TypeAdapter[str] = TypeAdapter(Color)
_IMAGE: TypeAdapter[Any] = TypeAdapter(Image)


def _is_color(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(_COLOR.validate_python(value))
    except ValidationError:
        return False


def _from_picture_value(value: Any, context: Any) -> dict[str, Any]:
    """Return the fields for the dominant colours of a picture, given in any form.

    Args:
        value: the picture.
        context: of the validation, in which the picture of a client opens no file.
    """
    from latelier_palette.dominant_colors import dominant_colors

    try:
        picture = _IMAGE.validate_python(value, context=context)
    except ValidationError:
        raise ValueError(
            f"expected a list of '#rrggbb' and CSS names, or a picture, not {value!r:.80}"
        ) from None
    found = dominant_colors(picture)
    return {"colors": list(found), "shares": list(found.values())}
