"""What the palette conditioner is configured with and what a person gives it."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from latelier import Color, ConditionerConfig, Frozen, Image, OutputSpec
from pydantic import Field, TypeAdapter, ValidationError, model_validator

MOST_COLORS = 8

Share = Annotated[float, Field(gt=0, le=1)]

_ROUNDING = 0.01
"""What shares may add up to above 1: people give 0.34, 0.33, 0.33."""


class PaletteConfig(ConditionerConfig):
    """One token for each colour."""

    width: int = Field(128, ge=1, description="width of the tokens")
    octaves: int = Field(3, ge=0, le=8, description="octaves in which each coordinate is seen")

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.width)


class Palette(Frozen):
    """Colours that the picture is to have, in any order.

    In place of the colours a picture may be given: its dominant colours, with their shares.
    """

    colors: tuple[Color, ...] = Field(
        min_length=1,
        max_length=MOST_COLORS,
        description=f"1 to {MOST_COLORS} colours; or a picture to take them from",
    )
    shares: tuple[Share, ...] | None = Field(
        None, description="share of the picture that each colour has, 0..1; none: as it comes"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_picture(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or "colors" not in fields:
            return fields
        colors = fields["colors"]
        alone = isinstance(colors, list | tuple) and len(colors) == 1
        given = colors[0] if alone else colors  # a host's one row is a list
        if _is_color(given):
            return {**fields, "colors": [given]}
        if isinstance(given, list | tuple):
            return fields
        return {**_taken_from(given), **{k: v for k, v in fields.items() if k != "colors"}}

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.shares is None:
            return self
        if len(self.shares) != len(self.colors):
            raise ValueError(
                f"colors and shares are equally many, not {len(self.colors)} and {len(self.shares)}"
            )
        if sum(self.shares) > 1 + _ROUNDING:
            raise ValueError(f"the shares add up to {sum(self.shares):g}, but 1 is the picture")
        return self


_COLOR: TypeAdapter[str] = TypeAdapter(Color)
_IMAGE: TypeAdapter[Any] = TypeAdapter(Image)


def _is_color(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(_COLOR.validate_python(value))
    except ValidationError:
        return False


def _taken_from(value: Any) -> dict[str, Any]:
    """Return the colours and shares of a picture, in whatever form it is given."""
    from latelier_palette.dominant_colors import dominant_colors

    try:
        picture = _IMAGE.validate_python(value)
    except ValidationError:
        raise ValueError(
            f"'colors' is a list of '#rrggbb' and CSS names, or a picture, not {value!r:.80}"
        ) from None
    found = dominant_colors(picture)
    return {"colors": list(found), "shares": list(found.values())}
