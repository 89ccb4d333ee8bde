"""Messages: near names, errors of other code in one line, and how to install a plugin."""

from collections.abc import Iterable
from difflib import get_close_matches

_MAX_LENGTH = 500
"""Most characters of a message of another library that an error shows."""


_MAX_NAME = 80
"""Most characters of a name that an error shows, and of one that is compared with others."""

_PLUGINS_IN_REPOSITORY = frozenset(
    {"latelier-addons", "latelier-palette", "latelier-server", "latelier-transformers"}
)
"""Plugins that are not on the package index before the first release."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name: the nearest known name, then all.

    The comparison ignores case.
    """
    names = sorted(known)
    if not names:
        return "There are none."
    by_lower_case = {each.lower(): each for each in names}
    close = get_close_matches(name[:_MAX_NAME].lower(), by_lower_case, n=1, cutoff=0.5)
    hint = f"Did you mean '{by_lower_case[close[0]]}'? " if close else ""
    return f"{hint}Known: {', '.join(names)}."


def suggest_nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return the end of an error about an unknown name of very many: the nearest known ones."""
    close = get_close_matches(name[:_MAX_NAME], sorted(known), n=count, cutoff=0.0)
    return f"The nearest are {', '.join(close)}." if close else "There are none."


def pip_install(distribution: str, version: str | None = None, *, upgrade: bool = False) -> str:
    """Return the command that installs a plugin, of at least `version`."""
    command = "pip install --upgrade" if upgrade else "pip install"
    if distribution in _PLUGINS_IN_REPOSITORY:
        return f"{command} ./plugins/{distribution} in a checkout of latelier"
    return f"{command} '{distribution}>={version}'" if version else f"{command} {distribution}"


def shorten(text: str) -> str:
    """Return the beginning of a long text: a name or key that an error repeats."""
    return text if len(text) <= _MAX_NAME else f"{text[:_MAX_NAME]}..."


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
