"""Whether the hooks of a plugin can be called: known, plain functions, and at least one."""

from collections.abc import Collection
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

import pluggy

from latelier.contracts.deprecation import warn_of_hook
from latelier.contracts.errors import PluginError
from latelier.contracts.messages import suggestion

_DEFERRED = (isgeneratorfunction, iscoroutinefunction, isasyncgenfunction)
"""Kinds of functions whose body does not run when they are called."""


def check_hooks(manager: pluggy.PluginManager, plugin: object, known: Collection[str]) -> None:
    """Check all hooks that a registered plugin implements.

    Args:
        manager: where the plugin is registered.
        plugin: its object.
        known: the names of all hooks.

    Raises:
        PluginError: the plugin implements none, or one that is unknown or cannot be called.
    """
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise PluginError("implements no hook: mark its methods with @latelier.hookimpl")
    for caller in callers:
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin:
                _check_hook(caller, implementation, known)


def _check_hook(
    caller: pluggy.HookCaller, implementation: pluggy.HookImpl, known: Collection[str]
) -> None:
    if implementation.wrapper or implementation.hookwrapper:
        raise PluginError(
            f"'{caller.name}' is marked as a wrapper, but plugins are called one at a time, so "
            "there is nothing to wrap"
        )
    if any(is_deferred(implementation.function) for is_deferred in _DEFERRED):
        raise PluginError(
            f"'{caller.name}' is asynchronous or has a `yield`, so that calling it does not run "
            "its body"
        )
    if caller.spec is not None:
        warn_of_hook(implementation.plugin_name, caller.spec.function)
    elif not implementation.optionalhook:
        raise PluginError(f"there is no hook '{caller.name}'. {suggestion(caller.name, known)}")
