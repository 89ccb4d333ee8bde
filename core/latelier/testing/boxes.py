"""Boxes inside of inputs: found, and put in another place."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from latelier.contracts.inputs import Box


def boxes_in(value: Any) -> Iterator[Box]:
    """Yield every box of an input, however deep it lies."""
    if isinstance(value, Box):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from boxes_in(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from boxes_in(each)


def with_box(value: Any, place: Box) -> Any:
    """Return an input with every box at `place`."""
    if isinstance(value, Box):
        return place
    if isinstance(value, BaseModel):
        names = type(value).model_fields
        return value.model_copy(
            update={name: with_box(getattr(value, name), place) for name in names}
        )
    if isinstance(value, list | tuple):
        return type(value)(with_box(each, place) for each in value)
    return value


def box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """Return a box of these corners."""
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)
