"""Loading plugins: one at a time, under a guard, and all or nothing."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import ModuleType

import pluggy

from latelier.contracts.errors import PluginError, suggestion
from latelier.contracts.messages import error_message, format_error
from latelier.kernel import hookspecs
from latelier.kernel.deprecation import warn_of_hook
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import ComponentSpec
from latelier.kernel.trust.admission import State, admit
from latelier.kernel.trust.entry_points import Candidate
from latelier.kernel.trust.fingerprint import Fingerprints
from latelier.kernel.trust.policy import Policy
from latelier.kernel.trust.side_effects import contain_side_effects

_log = logging.getLogger(__name__)

_DEFERRED = (isgeneratorfunction, iscoroutinefunction, isasyncgenfunction)
"""Kinds of functions whose body does not run when they are called."""


@dataclass(frozen=True)
class PluginReport:
    """Result of loading a plugin.

    Attributes:
        id: 'distribution:entry'.
        state: "ok", or the failure. Then `cause` is a human-readable line, `fix` says how to
            fix it, and `error` is the exception, if there was one.
        seconds: duration of its import and registration.
        components: 'kind:id' of each component that it registered.
    """

    id: str
    distribution: str
    version: str
    state: State = "ok"
    cause: str = ""
    fix: str = ""
    seconds: float = 0.0
    components: tuple[str, ...] = ()
    error: BaseException | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        if self.state == "ok":
            return f"plugin '{self.id}' is loaded"
        cause = self.cause.removesuffix(".")
        return f"plugin '{self.id}' is not loaded ({self.state}): {cause}. {self.fix}"


class PluginLoadError(PluginError):
    """A plugin that did not load. Its `report` says why."""

    def __init__(self, report: PluginReport) -> None:
        super().__init__(str(report))
        self.report = report


class PluginLoader:
    """Loads plugins into a pluggy manager and hands their components to `commit`.

    The loader catches every BaseException of a plugin except KeyboardInterrupt: panics of Rust
    extensions are not Exceptions. A plugin that fails leaves no hook and no component behind.

    Args:
        commit: takes the components of one plugin: all of them, or it raises.
        hooks: the module of the hook specifications.
        registrar: the class of what `latelier_register` receives.
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

    def load(
        self, candidate: Candidate, policy: Policy, lock: Fingerprints | None = None
    ) -> PluginReport:
        """Import and register a plugin if it may load, and return what became of it.

        Args:
            candidate: the plugin.
            policy: the user's policy.
            lock: the contents of the lock in force, None without one.

        Raises:
            KeyboardInterrupt: the user interrupted; the plugin is named in the log.
        """
        report = PluginReport(candidate.id, candidate.distribution, candidate.version)
        refusal = admit(candidate, policy, lock)
        if refusal is not None:
            return replace(report, state=refusal.state, cause=refusal.cause, fix=refusal.fix)
        start = time.perf_counter()
        try:
            with contain_side_effects(candidate.id):
                plugin = candidate.entry_point.load()
        except KeyboardInterrupt:
            hint = f"if it never ends, {_disable_command(candidate.id)} skips it"
            _log.warning("interrupted while plugin '%s' was imported; %s", candidate.id, hint)
            raise
        except BaseException as error:
            report = _import_failure(report, candidate, error)
        else:
            report = self.register(plugin, report)
        return replace(report, seconds=time.perf_counter() - start)

    def register(self, plugin: object, report: PluginReport) -> PluginReport:
        """Register the hooks and components of a plugin object, and return what became of it."""
        registrar = self._registrar(report.distribution, report.version, report.id)
        state: State = "registration_error"
        is_known = self.manager.has_plugin(report.id)
        try:
            if is_known or self.manager.is_registered(plugin):
                raise PluginError("its id, or the object that it names, is registered already")
            state = "invalid_hook"
            self._add_hooks(plugin, report.id)
            state = "registration_error"
            with contain_side_effects(report.id):
                self._registration_of(plugin)(registrar=registrar)
            self._commit(registrar.specs)
        except BaseException as error:
            if self.manager.has_plugin(report.id) and not is_known:
                self.manager.unregister(name=report.id)
            if isinstance(error, KeyboardInterrupt):
                raise
            disable = _disable_command(report.id)
            fix = f"report it to the author of {report.distribution}, or {disable}"
            return replace(report, state=state, cause=_cause(error), fix=fix, error=error)
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
                f"'{caller.name}' is marked as a wrapper, but plugins are called one at a time, so "
                "there is nothing to wrap"
            )
        if any(is_deferred(implementation.function) for is_deferred in _DEFERRED):
            raise PluginError(
                f"'{caller.name}' is asynchronous or has a `yield`, so that calling it does not "
                "run its body"
            )
        if caller.spec is not None:
            warn_of_hook(implementation.plugin_name, caller.spec.function)
        elif not implementation.optionalhook:
            known = [name for name in vars(self._hooks) if name.startswith(f"{hookspecs.PROJECT}_")]
            raise PluginError(f"there is no hook '{caller.name}'. {suggestion(caller.name, known)}")

    def _registration_of(self, plugin: object) -> pluggy.HookCaller:
        """Return the caller of one plugin's `latelier_register`: pluggy excludes the others."""
        others = [each for each in self.manager.get_plugins() if each is not plugin]
        return self.manager.subset_hook_caller("latelier_register", others)


def _import_failure(
    report: PluginReport, candidate: Candidate, error: BaseException
) -> PluginReport:
    state: State = "import_error"
    cause = _cause(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        own = candidate.entry_point.module.partition(".")[0]
        if error.name.partition(".")[0] != own:
            state = "missing_dependency"
            cause = f"requires the module '{error.name}', which is not installed"
    fix = f"pip install --upgrade {report.distribution}, or {_disable_command(report.id)}"
    return replace(report, state=state, cause=cause, fix=fix, error=error)


def _cause(error: BaseException) -> str:
    return error_message(error) if isinstance(error, PluginError) else format_error(error)


def _disable_command(id_: str) -> str:
    return f"`latelier plugins disable {id_}`"
