"""How a part of the plugin API is taken back: it warns for a while, once for each plugin.

What is deprecated goes on working. The warning names the plugin and what to do instead;
`latelier plugins doctor` shows it, and so does pytest to the plugin's author. See
docs/plugin-api.md for how long that lasts.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class PluginDeprecationWarning(DeprecationWarning):
    """A plugin uses what will go."""


@dataclass(frozen=True)
class Deprecation:
    """since: the latelier that began to warn. gone: the one without it. instead: what to do."""

    since: str
    gone: str
    instead: str

    def warn(self, plugin: str, use: str) -> None:
        """Warn that `plugin` makes this `use` of the API, the first time in a process."""
        _warn_once(
            f"plugin '{plugin}' {use}, deprecated since latelier {self.since} and gone in "
            f"{self.gone}: {self.instead}"
        )


def deprecated_hook(deprecation: Deprecation) -> Callable[[F], F]:
    """Mark a hook specification: who implements it is warned."""

    def mark(specification: F) -> F:
        specification.__dict__["deprecation"] = deprecation
        return specification

    return mark


def deprecated_arguments(**deprecations: Deprecation) -> Callable[[F], F]:
    """Mark arguments of a hook specification: who takes one of them is warned."""

    def mark(specification: F) -> F:
        specification.__dict__["deprecated_arguments"] = deprecations
        return specification

    return mark


def warn_of_hook(plugin: str, specification: Callable[..., Any], taken: tuple[str, ...]) -> None:
    """Warn where a plugin implements a deprecated hook, or takes deprecated arguments of one.

    Args:
        plugin: its id.
        specification: of the hook that it implements.
        taken: the arguments that its implementation takes.
    """
    marks, hook = vars(specification), specification.__name__
    if "deprecation" in marks:
        marks["deprecation"].warn(plugin, f"implements the hook '{hook}'")
    for name, deprecation in marks.get("deprecated_arguments", {}).items():
        if name in taken:
            deprecation.warn(plugin, f"takes the argument '{name}' of the hook '{hook}'")


def deprecated_keyword(
    keyword: str, deprecation: Deprecation, becomes: Callable[[Any], Mapping[str, Any]]
) -> Callable[[F], F]:
    """Let a method of `Registrar` take a former keyword, and warn who gives it.

    Args:
        keyword: which the method itself has no more.
        deprecation: since when, and what to do instead.
        becomes: the keywords that say the same now, by the value of the former one.
    """

    def mark(method: F) -> F:
        @wraps(method)
        def called(registrar: Any, *arguments: Any, **keywords: Any) -> Any:
            if keyword in keywords:
                use = f"gives the keyword '{keyword}' to registrar.{method.__name__}"
                deprecation.warn(registrar.plugin, use)
                keywords |= becomes(keywords.pop(keyword))
            return method(registrar, *arguments, **keywords)

        return called  # type: ignore[return-value]

    return mark


def warn_of_name(name: str, deprecation: Deprecation) -> None:
    """Warn of the use of a public name: for the `__getattr__` of the module that it is of."""
    package = next(_users(), "__main__").partition(".")[0]
    deprecation.warn(_plugin_of(package), f"uses the name '{name}'")


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, PluginDeprecationWarning, stacklevel=3)


def _users() -> Iterator[str]:
    """Yield the modules that are about to look up a name, the innermost first."""
    frame = sys._getframe(2).f_back  # of this, of warn_of_name, and of __getattr__, its caller
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if not module.startswith("importlib."):  # `from package import name` asks by way of it
            yield module
        frame = frame.f_back


def _plugin_of(package: str) -> str:
    """Return the id of the plugin whose entry point is in a package, or else the package."""
    from latelier.kernel.discovery import discover
    from latelier.kernel.trust.entry_points import module_of

    for candidate in discover():
        if (module_of(candidate.entry_point) or "").partition(".")[0] == package:
            return candidate.id
    return package
