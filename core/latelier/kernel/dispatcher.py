"""Telling plugins what has happened, one at a time."""

import logging
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from uuid import uuid4

import pluggy

from latelier.contracts.errors import PluginError, format_error

BUDGET_SECONDS = 0.5

BUDGET_SHARE = 0.05
"""What the hooks of one plugin may take of a run: so many seconds, or this share of it if that is
more. Beyond it they are told of as slow."""

_log = logging.getLogger(__name__)

_telling: ContextVar[bool] = ContextVar("_telling", default=False)


class HookDispatcher:
    """Tells the lifecycle hooks of one run; a plugin that fails is left out for the rest of it.

    run: names the run in everything that is told of it; runs in other threads have others.
    quarantined: plugin id -> what went wrong.
    seconds: plugin id -> what its hooks have taken so far.
    """

    def __init__(self, manager: pluggy.PluginManager, strict: bool) -> None:
        self.run = uuid4().hex
        self.quarantined: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self._manager = manager
        self._strict = strict
        self._began = perf_counter()
        self._listening: dict[str, list[pluggy.HookImpl]] = {}
        self._slow: set[str] = set()

    def implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """Return the implementations of `hook` in order, as they were when the run first asked."""
        if hook not in self._listening:
            # pluggy keeps them as it calls them: the last one first
            self._listening[hook] = getattr(self._manager.hook, hook).get_hookimpls()[::-1]
        return self._listening[hook]

    def emit(self, hook: str, **arguments: Any) -> None:
        """Call `hook` of every plugin that has it; where none has, this costs next to nothing.

        What a hook asks for of `arguments` and `run` is handed to it. KeyboardInterrupt, and what
        else is no `Exception`, passes through; SystemExit is a fault like any other. Of a run that
        a hook starts nobody is told: it would be told of its own without end.

        Raises:
            PluginError: in strict mode, where one fails.
        """
        listeners = self.implementations(hook)
        if not listeners or _telling.get():
            return
        arguments["run"] = self.run
        token = _telling.set(True)
        try:
            self._tell(hook, listeners, arguments)
        finally:
            _telling.reset(token)

    def _tell(
        self, hook: str, listeners: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]
    ) -> None:
        for listener in listeners:
            id_ = listener.plugin_name
            if id_ in self.quarantined:
                continue
            values = [arguments[name] for name in listener.argnames]
            began = perf_counter()
            try:
                listener.function(*values)
            except (Exception, SystemExit) as error:
                self._quarantine(hook, id_, error)
            self._charge(hook, id_, began)

    def _quarantine(self, hook: str, id_: str, error: BaseException) -> None:
        fault = f"{hook} of plugin '{id_}' raised {format_error(error)}"
        if self._strict:
            raise PluginError(fault) from error
        self.quarantined[id_] = fault
        _log.warning("%s; the plugin is left out for the rest of this run", fault)

    def _charge(self, hook: str, id_: str, began: float) -> None:
        now = perf_counter()
        seconds = self.seconds[id_] = self.seconds.get(id_, 0.0) + now - began
        if seconds <= BUDGET_SECONDS or id_ in self._slow:
            return
        if seconds > BUDGET_SHARE * (now - self._began):
            self._slow.add(id_)
            _log.warning(
                "the hooks of plugin '%s' are slow: they have taken %.2g s of %.2g s of this run, "
                "the last of them %s; `latelier plugins disable %s` leaves it out",
                id_,
                seconds,
                now - self._began,
                hook,
                id_,
            )
