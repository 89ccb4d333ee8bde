"""Loading plugins: one at a time, under a guard, all or nothing."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import ModuleType
from typing import Any

import pluggy

from latelier.contracts.errors import PluginError, error_message, format_error, suggestion
from latelier.kernel import hookspecs
from latelier.kernel.deprecation import warn_of_hook
from latelier.kernel.discovery import Candidate
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import ComponentSpec
from latelier.kernel.trust.admission import State
from latelier.kernel.trust.policy import Policy

_log = logging.getLogger(__name__)

_DEFERRED = (isgeneratorfunction, iscoroutinefunction, isasyncgenfunction)
"""What of a function, when it is called, does not run its body."""


@dataclass(frozen=True)
class PluginReport:
    """What became of one entry point. components: 'kind:id' of each."""

    id: str
    distribution: str
    version: str
    state: State = "ok"
    cause: str = ""
    fix: str = ""
    seconds: float = 0.0
    components: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a line for people."""
        cause = self.cause.removesuffix(".")
        return f"plugin '{self.id}' is left out ({self.state}): {cause}. {self.fix}"


class LeftOutError(PluginError):
    """A plugin did not load; nothing of it is left behind."""

    def __init__(self, report: PluginReport, state: State, cause: str, fix: str) -> None:
        self.report = replace(report, state=state, cause=cause, fix=fix)
        super().__init__(str(self.report))


class PluginLoader:
    """Loads plugins into a pluggy manager and hands their components to `commit`.

    Args:
        commit: takes the components of one plugin; all of them, or it raises.
        hooks: the module of the hook specifications.
        registrar: what a plugin's `latelier_register` is handed.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[ComponentSpec]], None],
        hooks: ModuleType = hookspecs,
        registrar: type[Registrar] = Registrar,
    ) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hooks)
        self._commit = commit
        self._hooks = hooks
        self._registrar = registrar

    def load(self, candidate: Candidate, policy: Policy) -> PluginReport:
        """Import and register a candidate if the policy admits it; return what became of it.

        Raises:
            InvalidConfigError: the lock of the policy cannot be read.
            KeyboardInterrupt: it was interrupted; who was being imported is logged.
        """
        report = PluginReport(candidate.id, candidate.distribution, candidate.version)
        obstacle = candidate.obstacle(policy)
        start = time.perf_counter()
        try:
            if obstacle:
                raise LeftOutError(report, *obstacle)
            report = self.register(_imported(candidate, report), report)
        except LeftOutError as error:
            report = error.report
        except KeyboardInterrupt:
            _log.warning(
                "interrupted while plugin '%s' was being imported; if it never ends, "
                "`latelier plugins disable %s` leaves it out",
                candidate.id,
                candidate.id,
            )
            raise
        return replace(report, seconds=time.perf_counter() - start)

    def register(self, plugin: object, report: PluginReport) -> PluginReport:
        """Register a plugin object and its components; return `report` with their ids.

        Raises:
            LeftOutError: it misspells a hook, its registration raises, or an id is taken.
        """
        registrar = self._registrar(report.distribution, report.version, report.id)
        fix = f"report it to the author of {report.distribution}, or {_disable(report.id)}"
        if self.manager.has_plugin(report.id) or self.manager.is_registered(plugin):
            cause = "its id, or the object that it names, is registered already"
            raise LeftOutError(report, "registration_error", cause, fix)
        try:
            self._add_hooks(plugin, report.id)
        except Exception as error:
            self._forget(plugin)
            raise LeftOutError(report, "invalid_hook", error_message(error), fix) from error
        try:
            only(self.manager, "latelier_register", plugin)(registrar=registrar)
            self._commit(registrar.specs)
        except (Exception, SystemExit) as error:
            self._forget(plugin)
            raise LeftOutError(report, "registration_error", format_error(error), fix) from error
        return replace(report, components=tuple(f"{s.kind}:{s.id}" for s in registrar.specs))

    def _add_hooks(self, plugin: object, id_: str) -> None:
        self.manager.register(plugin, name=id_)
        callers = self.manager.get_hookcallers(plugin) or []
        if not callers:
            raise PluginError("implements no hook: mark its methods with @latelier.hookimpl")
        for caller in callers:
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    self._check_hook(caller, implementation)

    def _check_hook(self, caller: pluggy.HookCaller, implementation: pluggy.HookImpl) -> None:
        if implementation.wrapper or implementation.hookwrapper:
            raise PluginError(
                f"'{caller.name}' is marked as a wrapper: plugins are called one at a time, so "
                "there is nothing to wrap"
            )
        if any(is_deferred(implementation.function) for is_deferred in _DEFERRED):
            raise PluginError(
                f"'{caller.name}' is asynchronous or has a `yield`: a hook is called, and no more, "
                "so it would never run"
            )
        if caller.spec is not None:
            warn_of_hook(implementation.plugin_name, caller.spec.function, implementation.argnames)
        elif not implementation.optionalhook:
            known = [name for name in vars(self._hooks) if name.startswith(f"{hookspecs.PROJECT}_")]
            hint = suggestion(caller.name, known)
            raise PluginError(f"there is no hook '{caller.name}'. {hint}")

    def _forget(self, plugin: object) -> None:
        if self.manager.is_registered(plugin):
            self.manager.unregister(plugin)


def only(manager: pluggy.PluginManager, hook: str, plugin: object) -> Callable[..., Any]:
    """Return what calls `hook` of one plugin alone."""
    others = [each for each in manager.get_plugins() if each is not plugin]
    return manager.subset_hook_caller(hook, others)


def _imported(candidate: Candidate, report: PluginReport) -> object:
    fix = f"pip install --upgrade {report.distribution}, or {_disable(report.id)}"
    try:
        return candidate.entry_point.load()
    except ModuleNotFoundError as error:
        own = candidate.entry_point.module.partition(".")[0]
        if not error.name or error.name.partition(".")[0] == own:
            raise LeftOutError(report, "import_error", format_error(error), fix) from error
        cause = f"needs the module '{error.name}', which is not installed"
        raise LeftOutError(report, "missing_dependency", cause, fix) from error
    except (Exception, SystemExit) as error:
        raise LeftOutError(report, "import_error", format_error(error), fix) from error


def _disable(id_: str) -> str:
    return f"`latelier plugins disable {id_}`"
