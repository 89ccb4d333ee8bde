"""Options of samplers, schedules and guidance: the keyword-only parameters of a function."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from pydantic import BaseModel, create_model

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen, validate

_FROM_THE_HOST = frozenset({"noise", "geometry"})
"""The keywords that a host gives to a sampler and to a schedule; they are no options."""


class _Options(Frozen, validate_default=True):
    """Base of all models of options. A default may come from a registration: it is validated."""


@cache
def options_model(function: Callable[..., Any]) -> type[BaseModel]:
    """Return the model of a function's options: names, types, ranges and defaults.

    Annotations are resolved one by one: those of other parameters may exist for type checkers only.
    """
    empty = inspect.Parameter.empty
    fields: dict[str, Any] = {
        name: (
            Any if parameter.annotation is empty else parameter.annotation,
            ... if parameter.default is empty else parameter.default,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in _FROM_THE_HOST
    }
    return create_model("Options", __base__=_Options, __module__=_module_of(function), **fields)


def bind(function: Callable[..., Any], defaults: Mapping[str, Any]) -> partial[Any]:
    """Return `function` with other defaults for some of its options.

    The result has the name, the documentation and, but for the defaults, the signature of
    `function`.

    Raises:
        TypeError: a default is for a keyword that `function` does not have.
    """
    keywords = inspect.signature(function).parameters
    for name in defaults:
        if name not in keywords or keywords[name].kind is not inspect.Parameter.KEYWORD_ONLY:
            raise TypeError(f"{function.__name__} has no option '{name}'")
    bound = partial(function, **defaults)
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(bound, attribute, getattr(function, attribute, None))
    return bound


def read_options(
    function: Callable[..., Any], values: Mapping[str, Any], what: str, *, trusted: bool = True
) -> dict[str, Any]:
    """Return all options of `function`: `values`, validated, and defaults.

    Args:
        function: whose keyword-only parameters are options.
        values: option -> value.
        what: the name of the function; errors begin with it.
        trusted: False for values from a client: they name no files.

    Raises:
        InvalidInputError: an option is unknown (the error lists the known ones), or a value is out
            of range.
    """
    model = validate(options_model(function), values, what, InvalidInputError, trusted=trusted)
    return {name: getattr(model, name) for name in type(model).model_fields}


def _module_of(function: Callable[..., Any]) -> str:
    """Return the module whose names the annotations of `function` use."""
    while isinstance(function, partial):
        function = function.func
    return function.__module__
