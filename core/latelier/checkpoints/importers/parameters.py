"""Taking the parameters of a foreign configuration, and none silently."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from latelier.contracts.errors import InvalidConfigError, suggestion


def require_bool(name: str, value: Any) -> bool:
    """Return the value of an option that says yes or no.

    Raises:
        InvalidConfigError: it is anything else, such as the text "False", which would count as yes.
    """
    if not isinstance(value, bool):
        raise InvalidConfigError(f"the option '{name}' is true or false, not {value!r:.80}")
    return value


def unknown_params(name: str, params: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Return the parameters that nothing here knows, for a class of which there are many forks.

    Raises:
        InvalidConfigError: one is all but the same as a known one, which it was meant to be.
    """
    others = [key for key, value in params.items() if key not in known and value is not None]
    for key in others:
        near = get_close_matches(key, known, n=1, cutoff=0.85)
        if near:
            raise InvalidConfigError(
                f"'{name}' has a parameter '{key}' that is not known. Did you mean '{near[0]}'?"
            )
    return others


def pick_params(
    name: str,
    params: Mapping[str, Any],
    wanted: Collection[str],
    fixed: Mapping[str, Collection[Any]],
    ignored: Collection[str],
) -> dict[str, Any]:
    """Return the parameters `wanted` that are given.

    Args:
        name: of the class that has the parameters.
        params: all that are given; None is the same as not given where it is not known.
        wanted: what the component here takes.
        fixed: parameter -> the values under which it has no effect here.
        ignored: parameters that do not change what the model computes.

    Raises:
        InvalidConfigError: another parameter, or a fixed one of another value.
    """
    for key, value in params.items():
        if key in wanted or key in ignored or (key not in fixed and value is None):
            continue
        if key not in fixed:
            hint = suggestion(key, {*wanted, *fixed, *ignored})
            raise InvalidConfigError(f"'{name}' has a parameter '{key}' that is not known. {hint}")
        if value not in fixed[key]:
            right = " or ".join(map(str, fixed[key]))
            raise InvalidConfigError(f"'{name}' has {key}: {value}; only {right} can be imported")
    return {key: params[key] for key in wanted if key in params}
