"""Errors that plugins raise, told in one line whatever they hold."""

_LONGEST = 500


def described(error: BaseException) -> str:
    """Return the type and the message of an error."""
    return f"{type(error).__name__}: {message(error)}"


def message(error: BaseException) -> str:
    """Return the message of an error; one that cannot be asked for it says so."""
    try:
        return one_line(str(error))
    except Exception:
        return "its message cannot be read"


def one_line(text: str) -> str:
    """Return a text as one line: control characters as escapes, and cut where it is very long."""
    line = " ".join(text[: 2 * _LONGEST].split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
