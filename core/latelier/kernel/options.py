"""Options of samplers, schedules and guidance: the keyword-only parameters of a function."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, create_model

from latelier.kernel.errors import InvalidInputError
from latelier.kernel.frozen import Frozen, validated

_GIVEN_BY_THE_HOST = {"noise"}


@cache
def options_model(function: Callable[..., Any]) -> type[BaseModel]:
    """Return the model of a function's options: names, types, ranges and defaults."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in _GIVEN_BY_THE_HOST
    }
    return create_model("Options", __base__=Frozen, **fields)


def read_options(
    function: Callable[..., Any], values: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """Return `values` validated as options of `function`, defaults included.

    Raises:
        InvalidInputError: an option that it does not have (its options are listed), or a value
            out of range.
    """
    model = validated(options_model(function), values, what, InvalidInputError)
    return {name: getattr(model, name) for name in type(model).model_fields}
