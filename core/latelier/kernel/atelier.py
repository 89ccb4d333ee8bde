"""The application object: a plugin manager, and a registry for each kind of component."""

import logging
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Any

from latelier.contracts.errors import PluginError
from latelier.kernel.dispatcher import HookDispatcher
from latelier.kernel.loader import PluginLoader, PluginLoadError, PluginReport
from latelier.kernel.registry import Registry
from latelier.kernel.spec import KINDS, ComponentSpec, Kind
from latelier.kernel.trust.admission import read_lock_in_force
from latelier.kernel.trust.config_file import read_policy
from latelier.kernel.trust.discovery import discover
from latelier.kernel.trust.entry_points import BUILT_IN, Candidate, normalize
from latelier.kernel.trust.fingerprint import Fingerprint, fingerprint
from latelier.kernel.trust.policy import Policy

if TYPE_CHECKING:
    from latelier.contracts.databases import Database
    from latelier.contracts.features import FeatureNetwork
    from latelier.contracts.importing import Importer
    from latelier.contracts.measures import Measure
    from latelier.contracts.sampling import Acceleration, Guidance, Sampler, Schedule

_log = logging.getLogger(__name__)


class Atelier:
    """Application context: the loaded plugins and their components.

    There is no global state, so every application can make its own.

    Attributes:
        plugins: the load status of each plugin, in the order of loading.
        registries: kind -> its components. Each is an attribute too, named by the plural of its
            kind, such as `first_stages`.

    Args:
        policy: which plugins may load; read from the environment and config.toml by default.
        candidates: the plugins to load; by default all that are installed.
        strict: raise an error, instead of logging it, if a plugin or a lifecycle hook fails.

    Raises:
        InvalidConfigError: the policy or its lock cannot be read, or an alias has an unknown kind.
        PluginLoadError: a built-in plugin does not load, or, if `strict`, any plugin.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        candidates: Iterable[Candidate] | None = None,
        strict: bool = False,
    ) -> None:
        policy = read_policy() if policy is None else policy
        policy.check_aliases(KINDS)
        self.strict = strict
        self.plugins: list[PluginReport] = []
        self.registries: dict[Kind, Registry[Any]] = {
            kind: Registry(kind, policy.aliases_of(kind), self.load_failure, self.kinds_of)
            for kind in KINDS
        }
        self.first_stages: Registry[Callable[..., Any]] = self.registries["first_stage"]
        self.denoisers: Registry[Callable[..., Any]] = self.registries["denoiser"]
        self.conditioners: Registry[Callable[..., Any]] = self.registries["conditioner"]
        self.samplers: Registry[Sampler] = self.registries["sampler"]
        self.schedules: Registry[Schedule] = self.registries["schedule"]
        self.guidances: Registry[Guidance] = self.registries["guidance"]
        self.accelerations: Registry[Acceleration] = self.registries["acceleration"]
        self.importers: Registry[Callable[[], Importer]] = self.registries["importer"]
        self.adapter_kinds: Registry[Any] = self.registries["adapter_kind"]
        self.adapters: Registry[Any] = self.registries["adapter"]
        self.databases: Registry[Callable[[], Database]] = self.registries["database"]
        self.feature_networks: Registry[Callable[[Any], FeatureNetwork]] = self.registries[
            "feature_network"
        ]
        self.measures: Registry[Callable[[Any], Measure]] = self.registries["measure"]
        self._loader = PluginLoader(self._commit)
        self._distributions: dict[str, Distribution] = {}
        self._fingerprints: dict[str, Fingerprint | None] = {}
        self._load_plugins(list(discover() if candidates is None else candidates), policy)

    def register(self, plugin: object, distribution: str = "local", version: str = "0") -> None:
        """Register a plugin object that has no entry point.

        Raises:
            PluginLoadError: it misspells a hook or its registration fails; nothing is left behind.
        """
        name = getattr(plugin, "__name__", type(plugin).__name__)
        owner = normalize(distribution)
        report = self._loader.register(plugin, PluginReport(f"{owner}:{name}", owner, version))
        if report.state != "ok":
            raise PluginLoadError(report) from report.error
        self.plugins.append(report)

    def dispatcher(self) -> HookDispatcher:
        """Return a dispatcher of lifecycle hooks for one run."""
        return HookDispatcher(self._loader.manager, self.strict)

    def fingerprint(self, distribution: str) -> Fingerprint | None:
        """Return the fingerprint of a plugin's distribution, hashed on the first call.

        It is None for a plugin that was registered as an object, or whose files cannot be read.
        """
        if distribution not in self._fingerprints:
            installed = self._distributions.get(distribution)
            try:
                self._fingerprints[distribution] = fingerprint(installed) if installed else None
            except OSError as error:
                _log.warning("the files of %s cannot be read: %s", distribution, error)
                self._fingerprints[distribution] = None
        return self._fingerprints[distribution]

    def kinds_of(self, name: str) -> list[Kind]:
        """Return the kinds of component that a name, an alias or an id belongs to."""
        return [
            kind
            for kind, registry in self.registries.items()
            if name in registry or name in registry.names()
        ]

    def load_failure(self, distribution: str) -> str:
        """Return why a plugin of a distribution is not loaded; '' if none of them failed."""
        for report in self.plugins:
            if report.distribution == distribution and report.state != "ok":
                return str(report)
        return ""

    def _load_plugins(self, candidates: Sequence[Candidate], policy: Policy) -> None:
        """Load plugins one after the other; a failure is in the report of its plugin."""
        lock = read_lock_in_force(policy) if candidates else None
        for candidate in candidates:
            if candidate.entry_point.dist is not None:
                self._distributions[candidate.distribution] = candidate.entry_point.dist
            report = self._loader.load(candidate, policy, lock)
            self.plugins.append(report)
            self._report_failure(report)

    def _commit(self, specs: Sequence[ComponentSpec]) -> None:
        """Add the components of a plugin to the registries: all of them or, if it raises, none."""
        for spec in specs:
            if spec.id in self.registries[spec.kind]:
                raise PluginError(f"{spec.kind} '{spec.id}' is registered already")
        for spec in specs:
            self.registries[spec.kind].add(spec)

    def _report_failure(self, report: PluginReport) -> None:
        """Log a plugin that failed; raise if it is built in or this atelier is strict."""
        if report.state in ("ok", "disabled"):
            return
        if self.strict or report.distribution == BUILT_IN:
            raise PluginLoadError(report) from report.error
        _log.warning("%s", report)
