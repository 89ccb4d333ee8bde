"""The errors that latelier raises on purpose. Their text is meant to be shown to a person."""

from collections.abc import Iterable
from difflib import get_close_matches


class LatelierError(Exception):
    """Base of all errors below. Catch it to catch every error that a user can fix.

    Attributes:
        field: the value at fault, as a dotted path such as 'size' or 'prompt.text', so that a host
            can mark it in a form; None where the error is of no single value.
    """

    def __init__(self, *args: object, field: str | None = None) -> None:
        super().__init__(*args)
        self.field = field


class UnknownNameError(LatelierError, LookupError):
    """A component, keyword, option or model that nobody has registered."""


class AmbiguousNameError(LatelierError, LookupError):
    """A bare name that several distributions claim."""


class InvalidConfigError(LatelierError, ValueError):
    """A configuration that its component refuses."""


class InvalidInputError(LatelierError, ValueError):
    """A value given to a run (prompt, size, option ...) that cannot be used."""


class ConditionError(LatelierError, ValueError):
    """A part of a condition whose shape, dtype or device is wrong."""


class CompatibilityError(LatelierError, ValueError):
    """Components that do not fit together."""


class PluginError(LatelierError):
    """A plugin that broke the rules of the door."""


class ModelFileError(LatelierError, ValueError):
    """A model file that is missing, damaged, foreign or not the one that was hashed."""


class NotFiniteError(LatelierError, ArithmeticError):
    """NaN or infinity where a computation needs numbers."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the tail of an error about the unknown `name`: its nearest neighbour, then all."""
    names = sorted(known)
    if not names:
        return "There are none."
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return f"{hint}Known: {', '.join(names)}."


_LONGEST = 500


def format_error(error: BaseException) -> str:
    """Return the type and message of an error."""
    return f"{type(error).__name__}: {error_message(error)}"


def error_message(error: BaseException) -> str:
    """Return the message of an error, or a fixed text where reading it fails."""
    try:
        return one_line(str(error))
    except Exception:
        return "its message cannot be read"


def one_line(text: str) -> str:
    """Return a text as one line: control characters as escapes, and cut where it is very long."""
    line = " ".join(text[: 2 * _LONGEST].split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
