"""Reading the parameters of a foreign configuration. None is dropped in silence."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion


def require_bool(name: str, value: Any) -> bool:
    """Return the value of an option that is true or false.

    Raises:
        InvalidConfigError: the value is anything else, such as the text "False".
    """
    if not isinstance(value, bool):
        raise InvalidConfigError(f"option '{name}': expected true or false, got {value!r:.80}")
    return value


def unknown_params(name: str, params: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Return the unknown parameters of a class that has many forks.

    Raises:
        InvalidConfigError: an unknown parameter is a misspelt known one.
    """
    unknown = [key for key, value in params.items() if key not in known and value is not None]
    for key in unknown:
        near = get_close_matches(key, known, n=1, cutoff=0.85)
        if near:
            raise InvalidConfigError(
                f"'{name}' has an unknown parameter '{key}'. Did you mean '{near[0]}'?"
            )
    return unknown


def pick_params(
    name: str,
    params: Mapping[str, Any],
    wanted: Collection[str],
    fixed: Mapping[str, Collection[Any]],
    ignored: Collection[str],
) -> dict[str, Any]:
    """Return the parameters in `wanted` that are present.

    Args:
        name: of the class that has the parameters.
        params: all its parameters. An unknown one that is None counts as absent.
        wanted: parameters that our component takes.
        fixed: parameter -> the values under which it has no effect here.
        ignored: parameters that do not change the output of the model.

    Raises:
        InvalidConfigError: a parameter is unknown, or a fixed one has another value.
    """
    for key, value in params.items():
        if key in wanted or key in ignored or (key not in fixed and value is None):
            continue
        if key not in fixed:
            hint = suggestion(key, {*wanted, *fixed, *ignored})
            raise InvalidConfigError(f"'{name}' has an unknown parameter '{key}'. {hint}")
        if value not in fixed[key]:
            supported = " or ".join(map(str, fixed[key]))
            raise InvalidConfigError(f"'{name}' has {key}: {value}; supported is {supported}")
    return {key: params[key] for key in wanted if key in params}
