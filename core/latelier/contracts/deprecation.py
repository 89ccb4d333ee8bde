"""Deprecating a part of the plugin API: it goes on working, and warns once for each plugin.

`latelier plugins doctor` shows the warning, and so does pytest to the plugin's author. For how long
a part stays deprecated, see docs/plugin-api.md.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class PluginDeprecationWarning(DeprecationWarning):
    """A plugin uses a part of the API that will be removed."""


@dataclass(frozen=True)
class Deprecation:
    """`since` and `removal` are versions of latelier; `instead` says what to do instead."""

    since: str
    removal: str
    instead: str

    def warn(self, plugin: str, use: str) -> None:
        """Warn that `plugin` makes this `use` of the API, once in a process."""
        _warn_once(
            f"plugin '{plugin}' {use}, deprecated since latelier {self.since} and removed in "
            f"{self.removal}: {self.instead}"
        )


def deprecated_hook(deprecation: Deprecation) -> Callable[[F], F]:
    """Mark a hook specification as deprecated."""

    def mark(specification: F) -> F:
        specification.__dict__["deprecation"] = deprecation
        return specification

    return mark


def warn_of_hook(plugin: str, specification: Callable[..., Any]) -> None:
    """Warn if a hook that `plugin` implements is deprecated."""
    deprecation = vars(specification).get("deprecation")
    if deprecation is not None:
        deprecation.warn(plugin, f"implements the hook '{specification.__name__}'")


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, PluginDeprecationWarning, stacklevel=3)
