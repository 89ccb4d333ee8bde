"""Options of samplers, schedules and guidance: the keyword-only parameters of a function."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, create_model

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen, validate

_GIVEN_BY_THE_HOST = {"noise"}


@cache
def options_model(function: Callable[..., Any]) -> type[BaseModel]:
    """Return the model of a function's options: names, types, ranges and defaults.

    Annotations are resolved one by one: those of other parameters may be for type checkers only.
    """
    empty = inspect.Parameter.empty
    fields: dict[str, Any] = {
        name: (
            Any if parameter.annotation is empty else parameter.annotation,
            ... if parameter.default is empty else parameter.default,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in _GIVEN_BY_THE_HOST
    }
    return create_model("Options", __base__=Frozen, __module__=function.__module__, **fields)


def read_options(
    function: Callable[..., Any], values: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """Return `values` validated as options of `function`, defaults included.

    Raises:
        InvalidInputError: an option that it does not have (its options are listed), or a value
            out of range.
    """
    model = validate(options_model(function), values, what, InvalidInputError)
    return {name: getattr(model, name) for name in type(model).model_fields}
