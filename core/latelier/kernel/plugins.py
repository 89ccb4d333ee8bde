"""Loading plugins: one at a time, under a guard, all or nothing."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pluggy

from latelier.kernel import hookspecs
from latelier.kernel.discovery import Candidate
from latelier.kernel.errors import PluginError
from latelier.kernel.policy import Policy
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import ComponentSpec

State = Literal[
    "ok",
    "disabled",
    "incompatible_api",
    "missing_dependency",
    "import_error",
    "unknown_hook",
    "registration_error",
]


@dataclass(frozen=True)
class PluginReport:
    """What became of one entry point."""

    id: str
    distribution: str
    version: str
    state: State
    cause: str = ""
    fix: str = ""
    seconds: float = 0.0
    components: tuple[str, ...] = ()


class _Fault(Exception):
    """Carries the state, cause and fix of a plugin that did not load."""

    def __init__(self, state: State, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.state, self.cause, self.fix = state, cause, fix


class PluginLoader:
    """Loads candidates into a pluggy manager and hands their components to `commit`."""

    def __init__(self, commit: Any) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self._commit = commit

    def load_all(self, candidates: Iterable[Candidate], policy: Policy) -> list[PluginReport]:
        """Load what the policy admits; return a report for every candidate."""
        return [self._report(candidate, policy) for candidate in candidates]

    def load(self, plugin: object, distribution: str, version: str, id_: str) -> tuple[str, ...]:
        """Register a plugin object and its components; return their ids.

        Raises:
            PluginError: it misspells a hook, its registration raises, or an id is taken. Nothing
                of it is left behind.
        """
        try:
            return tuple(spec.id for spec in self._load(plugin, distribution, version, id_))
        except _Fault as fault:
            raise PluginError(f"plugin '{id_}': {fault.cause}. {fault.fix}") from fault.__cause__

    def _report(self, candidate: Candidate, policy: Policy) -> PluginReport:
        start = time.perf_counter()
        state, cause, fix = "ok", "", ""
        components: tuple[str, ...] = ()
        obstacle = candidate.obstacle(policy)
        if obstacle:
            state, cause, fix = obstacle
        else:
            try:
                plugin = _imported(candidate)
                specs = self._load(plugin, candidate.distribution, candidate.version, candidate.id)
                components = tuple(f"{spec.kind}:{spec.id}" for spec in specs)
            except _Fault as fault:
                state, cause, fix = fault.state, fault.cause, fault.fix
        return PluginReport(
            candidate.id,
            candidate.distribution,
            candidate.version,
            state,  # type: ignore[arg-type]
            cause,
            fix,
            time.perf_counter() - start,
            components,
        )

    def _load(
        self, plugin: object, distribution: str, version: str, id_: str
    ) -> Sequence[ComponentSpec]:
        registrar = Registrar(distribution, version)
        fix = f"report it to the author of {distribution}, or deny '{id_}'"
        try:
            self.manager.register(plugin, name=id_)
            self.manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            self._forget(plugin)
            raise _Fault("unknown_hook", _first_line(error), fix) from error
        try:
            others = [each for each in self.manager.get_plugins() if each is not plugin]
            self.manager.subset_hook_caller("latelier_register", others)(registrar=registrar)
            self._commit(registrar.specs)
        except (Exception, SystemExit) as error:
            self._forget(plugin)
            raise _Fault("registration_error", _described(error), fix) from error
        return registrar.specs

    def _forget(self, plugin: object) -> None:
        if self.manager.is_registered(plugin):
            self.manager.unregister(plugin)


def _imported(candidate: Candidate) -> object:
    try:
        return candidate.entry_point.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        own = candidate.entry_point.module.partition(".")[0]
        if missing and missing != own:
            raise _Fault(
                "missing_dependency", f"needs the module '{missing}'", f"pip install {missing}"
            ) from error
        raise _import_fault(candidate, error) from error
    except (Exception, SystemExit) as error:
        raise _import_fault(candidate, error) from error


def _import_fault(candidate: Candidate, error: BaseException) -> _Fault:
    fix = f"pip install --upgrade {candidate.distribution}, or deny '{candidate.id}'"
    return _Fault("import_error", _described(error), fix)


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
