"""The application object: it owns a plugin manager and a registry for each kind of component."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from latelier.kernel.contracts import Guidance, Sampler, Schedule
from latelier.kernel.discovery import Candidate, discover
from latelier.kernel.errors import PluginError
from latelier.kernel.plugins import PluginLoader, PluginReport
from latelier.kernel.policy import BUILT_IN, Policy, read_policy
from latelier.kernel.registry import Registry
from latelier.kernel.spec import KINDS, ComponentSpec, Kind

_log = logging.getLogger(__name__)


class Atelier:
    """Plugins and registries. There is no global state: each application, or test, has its own.

    Args:
        policy: which plugins may load; read from the environment and config.toml by default.
        candidates: the entry points to load; by default those of all installed distributions.
        strict: raise where a plugin fails to load or a lifecycle hook fails, rather than report.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        candidates: Iterable[Candidate] | None = None,
        strict: bool = False,
    ) -> None:
        self.strict = strict
        policy = read_policy() if policy is None else policy
        self._registries: dict[Kind, Registry[Any]] = {
            kind: Registry(kind, policy.aliases_of(kind)) for kind in KINDS
        }
        self._loader = PluginLoader(self._commit)
        found = discover() if candidates is None else candidates
        self.plugins: list[PluginReport] = self._loader.load_all(found, policy)
        for report in self.plugins:
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
        self._loader.load(plugin, distribution, version, f"{distribution}:{name}")

    def announcer(self) -> "Announcer":
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
        text = f"plugin '{report.id}' was left out ({report.state}): {report.cause}. {report.fix}"
        if self.strict or report.distribution == BUILT_IN:
            raise PluginError(text)
        _log.warning(text)


class Announcer:
    """Tells lifecycle hooks, one plugin at a time; one that fails is left out for the run."""

    def __init__(self, manager: Any, strict: bool) -> None:
        self._manager = manager
        self._strict = strict
        self._callers: dict[str, list[tuple[str, Any]]] = {}
        self.quarantined: dict[str, str] = {}

    def tell(self, hook: str, **arguments: Any) -> None:
        """Call `hook` of every plugin that has it.

        Raises:
            PluginError: in strict mode, where one fails.
        """
        for id_, call in self._listeners(hook):
            if id_ in self.quarantined:
                continue
            try:
                call(**arguments)
            except Exception as error:
                fault = f"{hook} of plugin '{id_}' raised {type(error).__name__}: {error}"
                if self._strict:
                    raise PluginError(fault) from error
                self.quarantined[id_] = fault
                _log.warning("%s; the plugin is left out for the rest of this run", fault)

    def _listeners(self, hook: str) -> list[tuple[str, Any]]:
        if hook not in self._callers:
            implementations = getattr(self._manager.hook, hook).get_hookimpls()
            plugins = self._manager.get_plugins()
            self._callers[hook] = [
                (
                    each.plugin_name,
                    self._manager.subset_hook_caller(hook, plugins - {each.plugin}),
                )
                for each in implementations
            ]
        return self._callers[hook]
