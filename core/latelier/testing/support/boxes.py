"""Finds the boxes of inputs, and replaces them."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from latelier.contracts.inputs import Box


def find_boxes(value: Any) -> Iterator[Box]:
    """Yield every box of an input, at any depth."""
    if isinstance(value, Box):
        yield value
        return
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    for item in value if isinstance(value, list | tuple) else ():
        yield from find_boxes(item)


def replace_boxes(value: Any, box: Box) -> Any:
    """Return an input whose boxes are all `box`."""
    if isinstance(value, Box):
        return box
    if isinstance(value, BaseModel):
        names = type(value).model_fields
        return value.model_copy(
            update={name: replace_boxes(getattr(value, name), box) for name in names}
        )
    if isinstance(value, list | tuple):
        return type(value)(replace_boxes(item, box) for item in value)
    return value


def box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """Return a box with these corners."""
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)
