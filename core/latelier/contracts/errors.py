"""The errors that latelier raises. Their text is meant to be shown to a person."""

from collections.abc import Iterable
from difflib import get_close_matches

_MAX_LENGTH = 500
"""Most characters of a message of another library that an error shows."""


class LatelierError(Exception):
    """Base of all errors below. Catch it to catch every error that a user can fix.

    Attributes:
        field: the value at fault, as a dotted path such as 'size' or 'prompt.text', so that a host
            can mark it in a form; None if the error is not about a single value.
    """

    def __init__(self, *args: object, field: str | None = None) -> None:
        super().__init__(*args)
        self.field = field


class UnknownNameError(LatelierError, LookupError):
    """A component, keyword, option or model that is not registered."""


class AmbiguousNameError(LatelierError, LookupError):
    """A bare name that several distributions claim."""


class InvalidConfigError(LatelierError, ValueError):
    """A configuration that does not fit its component."""


class InvalidInputError(LatelierError, ValueError):
    """A value given to a run (prompt, size, option ...) that cannot be used."""


class ConditionError(LatelierError, ValueError):
    """A part of a condition with an invalid shape, dtype or device."""


class CompatibilityError(LatelierError, ValueError):
    """Components that do not fit together."""


class PluginError(LatelierError):
    """A plugin that breaks the rules of the plugin API."""


class ModelFileError(LatelierError, ValueError):
    """A model file that is missing, damaged, of another format, or not the one in the manifest."""


class NotFiniteError(LatelierError, ArithmeticError):
    """NaN or infinity where a computation needs numbers."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name: the nearest known name, then all."""
    names = sorted(known)
    if not names:
        return "There are none."
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return f"{hint}Known: {', '.join(names)}."


def format_error(error: BaseException) -> str:
    """Return the type and message of an error."""
    return f"{type(error).__name__}: {error_message(error)}"


def error_message(error: BaseException) -> str:
    """Return the message of an error, or a fixed text if reading it fails."""
    try:
        return one_line(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:  # it is an error of a plugin
        return "its message cannot be read"


def one_line(text: str) -> str:
    """Return a text as one line of limited length, with control characters escaped."""
    line = " ".join(text[: 2 * _MAX_LENGTH].split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return shown if len(shown) <= _MAX_LENGTH else f"{shown[:_MAX_LENGTH]} ..."
