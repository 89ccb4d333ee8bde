"""Calling the lifecycle hooks of plugins, one plugin at a time."""

import logging
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from uuid import uuid4

import pluggy

from latelier.contracts.errors import PluginError
from latelier.contracts.messages import format_error

BUDGET_SECONDS = 0.5
BUDGET_SHARE = 0.05
"""Hooks of a plugin that take more than both, in seconds and as a share of the run, are slow."""

_log = logging.getLogger(__name__)

_is_emitting: ContextVar[bool] = ContextVar("_is_emitting", default=False)


class HookDispatcher:
    """Calls the lifecycle hooks of one run. A plugin that fails is disabled for the rest of it.

    Attributes:
        run: identifies the run in all hooks. Runs in other threads have other identifiers.
        quarantined: id of a disabled plugin -> what it raised.
        seconds: id of a plugin -> time of its hooks so far.
    """

    def __init__(self, manager: pluggy.PluginManager, strict: bool) -> None:
        self.run = uuid4().hex
        self.quarantined: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self._manager = manager
        self._strict = strict
        self._start = perf_counter()
        self._implementations: dict[str, list[pluggy.HookImpl]] = {}
        self._slow: set[str] = set()

    def implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """Return the implementations of `hook` in the order of calls, as of the run's first one."""
        if hook not in self._implementations:
            # pluggy calls its list from the end
            self._implementations[hook] = getattr(self._manager.hook, hook).get_hookimpls()[::-1]
        return self._implementations[hook]

    def emit(self, hook: str, **arguments: Any) -> None:
        """Call `hook` of every plugin that implements it, with the arguments that it names.

        Without such a plugin it costs next to nothing. KeyboardInterrupt passes; anything else that
        a hook raises does not. Hooks are not called for a run that a hook starts, which would
        never end.

        Raises:
            PluginError: a hook failed and the dispatcher is strict.
        """
        implementations = self.implementations(hook)
        if not implementations or _is_emitting.get():
            return
        arguments["run"] = self.run
        token = _is_emitting.set(True)
        try:
            self._call(hook, implementations, arguments)
        finally:
            _is_emitting.reset(token)

    def _call(
        self, hook: str, implementations: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]
    ) -> None:
        for implementation in implementations:
            id_ = implementation.plugin_name
            if id_ in self.quarantined:
                continue
            values = [arguments[name] for name in implementation.argnames]
            start = perf_counter()
            try:
                implementation.function(*values)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._quarantine(hook, id_, error)
            self._charge(hook, id_, start)

    def _quarantine(self, hook: str, id_: str, error: BaseException) -> None:
        fault = f"{hook} of plugin '{id_}' raised {format_error(error)}"
        if self._strict:
            raise PluginError(fault) from error
        self.quarantined[id_] = fault
        _log.warning("%s; the plugin is disabled for the rest of this run", fault)

    def _charge(self, hook: str, id_: str, start: float) -> None:
        now = perf_counter()
        seconds = self.seconds[id_] = self.seconds.get(id_, 0.0) + now - start
        run_seconds = now - self._start
        is_slow = seconds > BUDGET_SECONDS and seconds > BUDGET_SHARE * run_seconds
        if is_slow and id_ not in self._slow:
            self._slow.add(id_)
            _log.warning(
                "the hooks of plugin '%s' are slow: they took %.2g s of the %.2g s of this run, "
                "%s most recently; `latelier plugins disable %s` disables the plugin",
                *(id_, seconds, run_seconds, hook, id_),
            )
