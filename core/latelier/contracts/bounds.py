"""Whole numbers of configurations, with upper bounds.

Configurations come in files of others. Without upper bounds a wrong number fills the memory, or
keeps the processor busy for hours, before an error appears. The bounds are far above those of
published models. A type without a lower bound leaves that to the field, such as `Field(ge=2)`; a
field cannot change a bound of its type, because pydantic lets the type's win.
"""

from typing import Annotated

from pydantic import Field

MAX_CONDITIONS = 64
"""Most conditions of one kind of a denoiser."""

_MAX_WIDTH = 65_536
_MAX_LEVELS = 12

Width = Annotated[int, Field(ge=1, le=_MAX_WIDTH)]
"""Channels, features, heads or groups."""

Side = Annotated[int, Field(ge=1, le=65_536)]
"""A side of an image, or a factor between two sides."""

Layers = Annotated[int, Field(le=512)]
"""Layers of a transformer."""

Levels = Annotated[int, Field(le=_MAX_LEVELS)]
"""Changes of resolution."""

Blocks = Annotated[int, Field(le=64)]
"""Blocks at one resolution, in a network that changes it."""

Rows = Annotated[int, Field(le=2**24)]
"""Rows of a table (tokens of a vocabulary, classes, codes), or the number of one."""

Tokens = Annotated[int, Field(le=65_536)]
"""Tokens of a sequence."""

Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=_MAX_LEVELS)]
"""A width for each level of a network that changes resolution."""

Factors = Annotated[tuple[Side, ...], Field(max_length=_MAX_LEVELS)]
"""A side or factor for some levels of a network that changes resolution."""

Depth = Annotated[int, Field(ge=0, le=64)]
"""Layers of each block at one resolution, in a network that changes it; 0 in small ControlNets."""

Depths = Annotated[tuple[Depth, ...], Field(min_length=1, max_length=_MAX_LEVELS)]
"""A depth for each level of a network that changes resolution."""

BlocksPerLevel = Annotated[
    tuple[Annotated[Blocks, Field(ge=0)], ...], Field(min_length=1, max_length=_MAX_LEVELS)
]
"""Blocks of each level of a network that changes resolution."""


def check_width(name: str, value: int) -> None:
    """Check a product of widths.

    Raises:
        ValueError: it is above the upper bound of `Width`.
    """
    if value > _MAX_WIDTH:
        raise ValueError(f"{name} is {value}; expected at most {_MAX_WIDTH}")
