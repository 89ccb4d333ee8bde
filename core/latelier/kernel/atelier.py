"""The application object: it owns a plugin manager and a registry for each kind of component."""

import logging
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import Distribution
from typing import Any

from latelier.contracts.errors import InvalidConfigError, PluginError, suggestion
from latelier.contracts.importing import Importer
from latelier.contracts.sampling import Guidance, Sampler, Schedule
from latelier.kernel.discovery import Candidate, discover
from latelier.kernel.dispatcher import HookDispatcher
from latelier.kernel.loader import PluginLoader, PluginReport
from latelier.kernel.registry import Registry
from latelier.kernel.spec import KINDS, ComponentSpec, Kind
from latelier.kernel.trust.entry_points import BUILT_IN, normalize
from latelier.kernel.trust.fingerprint import Fingerprint, fingerprint
from latelier.kernel.trust.policy import Policy, read_policy

_log = logging.getLogger(__name__)


class Atelier:
    """Plugins and registries. There is no global state: each application, or test, has its own.

    first_stages, denoisers, conditioners, samplers, schedules, guidances, importers, adapters:
        the registries.
    plugins: what became of each, in the order of loading.

    Args:
        policy: which plugins may load; read from the environment and config.toml by default.
        candidates: the entry points to load; by default those of all installed distributions.
        strict: raise where a plugin fails to load or a lifecycle hook fails, rather than report.

    Raises:
        InvalidConfigError: the policy or its lock cannot be read, or it has an alias of an unknown
            kind.
        PluginError: a built-in plugin fails to load, or, in strict mode, any.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        candidates: Iterable[Candidate] | None = None,
        strict: bool = False,
    ) -> None:
        policy = read_policy() if policy is None else policy
        for alias in policy.aliases:
            kind = alias.partition(".")[0]
            if kind not in KINDS:
                hint = suggestion(kind, KINDS)
                raise InvalidConfigError(f"alias '{alias}': there is no kind '{kind}'. {hint}")
        self.strict = strict

        def made(kind: Kind) -> Registry[Any]:
            return Registry(kind, policy.aliases_of(kind), self.left_out)

        self.first_stages: Registry[Callable[..., Any]] = made("first_stage")
        self.denoisers: Registry[Callable[..., Any]] = made("denoiser")
        self.conditioners: Registry[Callable[..., Any]] = made("conditioner")
        self.samplers: Registry[Sampler] = made("sampler")
        self.schedules: Registry[Schedule] = made("schedule")
        self.guidances: Registry[Guidance] = made("guidance")
        self.importers: Registry[Callable[[], Importer]] = made("importer")
        self.adapters: Registry[Any] = made("adapter")
        self._loader = PluginLoader(self._commit)
        self.plugins: list[PluginReport] = []
        self._distributions: dict[str, Distribution] = {}
        self._fingerprints: dict[str, Fingerprint | None] = {}
        for candidate in discover() if candidates is None else candidates:
            if candidate.entry_point.dist is not None:
                self._distributions[candidate.distribution] = candidate.entry_point.dist
            report = self._loader.load(candidate, policy)
            self.plugins.append(report)
            self._judge(report)

    def registry(self, kind: Kind) -> Registry[Any]:
        """Return the registry of a kind."""
        registry: Registry[Any] = getattr(self, f"{kind}s")
        return registry

    def register(self, plugin: object, distribution: str = "local", version: str = "0") -> None:
        """Register a plugin object of one's own, without an entry point.

        Raises:
            PluginError: it misspells a hook or its registration fails; nothing is left behind.
        """
        name = getattr(plugin, "__name__", type(plugin).__name__)
        owner = normalize(distribution)
        report = PluginReport(f"{owner}:{name}", owner, version)
        self.plugins.append(self._loader.register(plugin, report))

    def dispatcher(self) -> HookDispatcher:
        """Return what tells lifecycle hooks of one run."""
        return HookDispatcher(self._loader.manager, self.strict)

    def fingerprint(self, distribution: str) -> Fingerprint | None:
        """Return the files of a plugin's distribution, hashed when they are first asked for.

        None where it was not installed, but registered as an object, or cannot be read.
        """
        if distribution not in self._fingerprints:
            found = self._distributions.get(distribution)
            try:
                self._fingerprints[distribution] = fingerprint(found) if found else None
            except OSError as error:
                _log.warning("the files of %s cannot be read: %s", distribution, error)
                self._fingerprints[distribution] = None
        return self._fingerprints[distribution]

    def _commit(self, specs: Sequence[ComponentSpec]) -> None:
        for spec in specs:
            if spec.id in self.registry(spec.kind):
                raise PluginError(f"{spec.kind} '{spec.id}' is registered already")
        for spec in specs:
            self.registry(spec.kind).add(spec)

    def left_out(self, distribution: str) -> str:
        """Return why what a distribution registers is not here; '' where nothing of it failed."""
        for report in self.plugins:
            if report.distribution == distribution and report.state != "ok":
                return str(report)
        return ""

    def _judge(self, report: PluginReport) -> None:
        if report.state in ("ok", "disabled"):
            return
        if self.strict or report.distribution == BUILT_IN:
            raise PluginError(str(report))
        _log.warning("%s", report)
