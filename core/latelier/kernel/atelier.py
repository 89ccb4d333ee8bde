"""The application object: it owns a plugin manager and a registry for each kind of component."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from latelier.kernel.announcer import Announcer
from latelier.kernel.contracts import Guidance, Sampler, Schedule
from latelier.kernel.discovery import Candidate, discover
from latelier.kernel.errors import InvalidConfigError, PluginError, suggestion
from latelier.kernel.plugins import PluginLoader, PluginReport
from latelier.kernel.policy import BUILT_IN, Policy, normalised, read_policy
from latelier.kernel.registry import Registry
from latelier.kernel.spec import KINDS, ComponentSpec, Kind

_log = logging.getLogger(__name__)


class Atelier:
    """Plugins and registries. There is no global state: each application, or test, has its own.

    Args:
        policy: which plugins may load; read from the environment and config.toml by default.
        candidates: the entry points to load; by default those of all installed distributions.
        strict: raise where a plugin fails to load or a lifecycle hook fails, rather than report.

    Raises:
        InvalidConfigError: the policy cannot be read, or has an alias of an unknown kind.
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
        self._registries: dict[Kind, Registry[Any]] = {
            kind: Registry(kind, policy.aliases_of(kind)) for kind in KINDS
        }
        self._loader = PluginLoader(self._commit)
        self.plugins: list[PluginReport] = []
        for candidate in discover() if candidates is None else candidates:
            report = self._loader.load(candidate, policy)
            self.plugins.append(report)
            self._judge(report)

    def registry(self, kind: Kind) -> Registry[Any]:
        """Return the registry of a kind."""
        return self._registries[kind]

    @property
    def first_stages(self) -> Registry[Callable[..., Any]]:
        """The registered first stages."""
        return self._registries["first_stage"]

    @property
    def denoisers(self) -> Registry[Callable[..., Any]]:
        """The registered denoisers."""
        return self._registries["denoiser"]

    @property
    def conditioners(self) -> Registry[Callable[..., Any]]:
        """The registered conditioners."""
        return self._registries["conditioner"]

    @property
    def samplers(self) -> Registry[Sampler]:
        """The registered samplers."""
        return self._registries["sampler"]

    @property
    def schedules(self) -> Registry[Schedule]:
        """The registered schedules."""
        return self._registries["schedule"]

    @property
    def guidances(self) -> Registry[Guidance]:
        """The registered guidance rules."""
        return self._registries["guidance"]

    def register(self, plugin: object, distribution: str = "local", version: str = "0") -> None:
        """Register a plugin object of one's own, without an entry point.

        Raises:
            PluginError: it misspells a hook or its registration fails; nothing is left behind.
        """
        name = getattr(plugin, "__name__", type(plugin).__name__)
        owner = normalised(distribution)
        report = PluginReport(f"{owner}:{name}", owner, version)
        self.plugins.append(self._loader.register(plugin, report))

    def announcer(self) -> Announcer:
        """Return what tells lifecycle hooks of one run."""
        return Announcer(self._loader.manager, self.strict)

    def _commit(self, specs: Sequence[ComponentSpec]) -> None:
        for spec in specs:
            if spec.id in self._registries[spec.kind]:
                raise PluginError(f"{spec.kind} '{spec.id}' is registered already")
        for spec in specs:
            self._registries[spec.kind].add(spec)

    def _judge(self, report: PluginReport) -> None:
        if report.state in ("ok", "disabled"):
            return
        if self.strict or report.distribution == BUILT_IN:
            raise PluginError(str(report))
        _log.warning("%s", report)
