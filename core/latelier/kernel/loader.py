"""Loading plugins: one at a time, and each all or nothing.

The steps of a plugin:
    discover   trust/discovery.py: find it by its metadata alone -> `Candidate`
    admit      trust/admission.py: may it be imported? -> a `Refusal`, or None
    import     `PluginLoader.load`: import the object that its entry point names
    register   `PluginLoader.register`: add its hooks and components, all of them or none
    report     -> `PluginReport`: "ok", or the step that failed, why, and how to fix it
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType

import pluggy

from latelier.contracts.errors import PluginError
from latelier.contracts.messages import error_message, format_error
from latelier.kernel import hookspecs
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import ComponentSpec
from latelier.kernel.trust.admission import State, admit
from latelier.kernel.trust.entry_points import Candidate
from latelier.kernel.trust.fingerprint import Fingerprints
from latelier.kernel.trust.hook_checks import check_hooks
from latelier.kernel.trust.policy import Policy
from latelier.kernel.trust.side_effects import contain_side_effects

_log = logging.getLogger(__name__)


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

    A plugin that fails is reported, not raised, and leaves no hook and no component behind. Only
    an interrupt of the user passes through.

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
        self._hook_names = [name for name in vars(hooks) if name.startswith("latelier_")]
        self._registrar = registrar

    def load(
        self, candidate: Candidate, policy: Policy, lock: Fingerprints | None = None
    ) -> PluginReport:
        """Admit, import and register a plugin, and return its report.

        Args:
            candidate: the plugin.
            policy: the user's policy.
            lock: the contents of the lock in force, None without one.
        """
        report = PluginReport(candidate.id, candidate.distribution, candidate.version)
        refusal = admit(candidate, policy, lock)
        if refusal is not None:
            return replace(report, state=refusal.state, cause=refusal.cause, fix=refusal.fix)
        start = time.perf_counter()
        try:
            plugin = _import_plugin(candidate)
        except _StepError as failed:
            report = _report_import_error(report, candidate, failed.error)
        else:
            report = self.register(plugin, report)
        return replace(report, seconds=time.perf_counter() - start)

    def register(self, plugin: object, report: PluginReport) -> PluginReport:
        """Register the hooks and components of a plugin object, and return its report."""
        registrar = self._registrar(report.distribution, report.version, report.id)
        try:
            with _step("registration_error"):
                self._check_is_new(plugin, report.id)
            with self._all_or_nothing(report.id):
                with _step("invalid_hook"):
                    self.manager.register(plugin, name=report.id)
                    check_hooks(self.manager, plugin, self._hook_names)
                with _step("registration_error"):
                    self._add_components(plugin, registrar)
        except _StepError as failed:
            fix = f"report it to the author of {report.distribution}, or {_disable(report.id)}"
            return _report_failure(report, failed.state, failed.error, fix)
        return replace(report, components=tuple(f"{s.kind}:{s.id}" for s in registrar.specs))

    def _check_is_new(self, plugin: object, id_: str) -> None:
        if self.manager.has_plugin(id_) or self.manager.is_registered(plugin):
            raise PluginError("its id, or the object that it names, is registered already")

    @contextmanager
    def _all_or_nothing(self, id_: str) -> Iterator[None]:
        """Remove the hooks of a plugin if its registration fails or is interrupted."""
        try:
            yield
        except BaseException:
            if self.manager.has_plugin(id_):
                self.manager.unregister(name=id_)
            raise

    def _add_components(self, plugin: object, registrar: Registrar) -> None:
        """Let a plugin register its components, and commit them."""
        others = [each for each in self.manager.get_plugins() if each is not plugin]
        latelier_register = self.manager.subset_hook_caller("latelier_register", others)
        with contain_side_effects(registrar.plugin):
            latelier_register(registrar=registrar)
        self._commit(registrar.specs)


class _StepError(Exception):
    """A step of loading that failed: the `state` that it leaves the plugin in, and the `error`."""

    def __init__(self, state: State, error: BaseException) -> None:
        super().__init__(state)
        self.state: State = state
        self.error = error


@contextmanager
def _step(state: State) -> Iterator[None]:
    """Turn every error of a plugin's code into a _StepError; an interrupt of the user stays one.

    The code may raise any BaseException: SystemExit, or the panic of a Rust extension.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _StepError(state, error) from error


def _import_plugin(candidate: Candidate) -> object:
    """Import the object that an entry point names."""
    try:
        with _step("import_error"), contain_side_effects(candidate.id):
            return candidate.entry_point.load()
    except KeyboardInterrupt:
        hint = f"if it never ends, {_disable(candidate.id)} skips it"
        _log.warning("interrupted while plugin '%s' was imported; %s", candidate.id, hint)
        raise


def _report_import_error(
    report: PluginReport, candidate: Candidate, error: BaseException
) -> PluginReport:
    fix = f"pip install --upgrade {report.distribution}, or {_disable(report.id)}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        own = candidate.entry_point.module.partition(".")[0]
        if error.name.partition(".")[0] != own:
            cause = f"requires the module '{error.name}', which is not installed"
            return replace(report, state="missing_dependency", cause=cause, fix=fix, error=error)
    return _report_failure(report, "import_error", error, fix)


def _report_failure(
    report: PluginReport, state: State, error: BaseException, fix: str
) -> PluginReport:
    cause = error_message(error) if isinstance(error, PluginError) else format_error(error)
    return replace(report, state=state, cause=cause, fix=fix, error=error)


def _disable(id_: str) -> str:
    return f"`latelier plugins disable {id_}`"
