"""A registry: the components of one kind."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from latelier.contracts.a1111_names import explain_name
from latelier.contracts.adapters import AdapterConfig
from latelier.contracts.configs import ConditionerConfig, DenoiserConfig, FirstStageConfig
from latelier.contracts.errors import AmbiguousNameError, PluginError, UnknownNameError
from latelier.contracts.frozen import validate
from latelier.contracts.measure_names import explain_measure
from latelier.contracts.messages import pip_install, shorten, suggestion
from latelier.contracts.options import bind
from latelier.kernel.spec import ComponentSpec, Kind, locate, locate_file, resolve
from latelier.kernel.trust.guard import guard_plugin

T = TypeVar("T")

_CONFIGS: dict[Kind, type[BaseModel]] = {
    "first_stage": FirstStageConfig,
    "denoiser": DenoiserConfig,
    "conditioner": ConditionerConfig,
    "adapter_kind": AdapterConfig,
}

_USES: dict[Kind, str] = {
    "sampler": "a sampler: `sampler={}`",
    "schedule": "a schedule: `schedule={}`",
    "guidance": "a guidance rule: `guidance={}`",
    "acceleration": "an acceleration: `acceleration={}`",
    "adapter": "an adapter",
    "database": "a database: `database={}`",
}
"""What a name of this kind is, and how a request gives it."""


class Registry(Generic[T]):
    """The components of one kind, by id ('distribution/name') or by bare name while it is unique.

    A user's alias settles a name that two distributions claim. Components are imported by `get`.
    All methods that take a name raise UnknownNameError or AmbiguousNameError as `spec` does.

    Args:
        kind: of all components.
        aliases: name -> id.
        load_failure: returns why a distribution's plugin is not loaded, or ''.
        kinds_of: returns the kinds of component that a name belongs to.
    """

    def __init__(
        self,
        kind: Kind,
        aliases: Mapping[str, str] | None = None,
        load_failure: Callable[[str], str] = lambda _: "",
        kinds_of: Callable[[str], Sequence[Kind]] = lambda _: (),
    ) -> None:
        self.kind: Kind = kind
        self._aliases = dict(aliases or {})
        self._load_failure = load_failure
        self._kinds_of = kinds_of
        self._specs: dict[str, ComponentSpec] = {}
        self._bound: dict[tuple[str, Any], Any] = {}

    def add(self, spec: ComponentSpec) -> None:
        """Add a component with a new id."""
        assert spec.id not in self._specs
        self._specs[spec.id] = spec

    def __contains__(self, id_: str) -> bool:
        return id_ in self._specs

    def specs(self) -> list[ComponentSpec]:
        """Return the specs of all components, sorted by id."""
        return [self._specs[id_] for id_ in sorted(self._specs)]

    def names(self) -> list[str]:
        """Return the names of all components, bare where unique, else full ids, and aliases."""
        names = {
            spec.name if len(self._owners(spec.name)) == 1 else spec.id
            for spec in self._specs.values()
        }
        return sorted(names | self._aliases.keys())

    def spec(self, name: str) -> ComponentSpec:
        """Return the spec of a bare name, an alias or an id.

        Raises:
            UnknownNameError: nobody registered it. The error suggests the nearest name, or says
                which other kind has it or, for an id of an unknown distribution, how to install it
                or why it is not loaded.
            AmbiguousNameError: several distributions registered it. The error lists them.
        """
        name = self._aliases.get(name, name)
        if name in self._specs:
            return self._specs[name]
        owners = self._owners(name)
        if len(owners) == 1:
            return owners[0]
        what = self.kind.replace("_", " ")
        if owners:
            raise AmbiguousNameError(f"{what} '{name}' {_explain_claims(owners)}")
        raise UnknownNameError(f"there is no {what} '{shorten(name)}'. {self._hint(name)}")

    def get(self, name: str) -> T:
        """Return the class or function of a name, imported now.

        A function has the defaults that it was registered with: `get("euler_ancestral")` and
        `get("ddim")` differ in their default of `eta`.

        Raises:
            PluginError: its module cannot be imported, it cannot be called, it lacks an option that
                it was registered with, or the component is data.
        """
        spec = self.spec(name)
        if spec.factory is None:
            raise PluginError(f"{self.kind} '{spec.id}' is a folder of data, not code to import")
        component = resolve(spec.factory, spec.id)
        _check_callable(spec, component)
        if not spec.defaults:
            return component
        # the same object at each call, so that its model of options is made once
        key = (spec.id, component)
        if key not in self._bound:
            self._bound[key] = _bind_defaults(spec, component)
        return self._bound[key]

    def folder(self, name: str) -> Path:
        """Return the folder of a component that is data. Nothing in it is read or imported.

        Raises:
            PluginError: the folder is missing, or the component is code.
        """
        spec = self.spec(name)
        if spec.folder is None:
            raise PluginError(f"{self.kind} '{spec.id}' is code, not a folder of data")
        return locate(spec.folder, spec.id)

    def widget(self, name: str) -> Path | None:
        """Return the ES module that edits a conditioner's input on pages; None without one.

        Raises:
            PluginError: the file is missing.
        """
        spec = self.spec(name)
        return None if spec.widget is None else locate_file(spec.widget, spec.id)

    def config_class(self, name: str) -> type[BaseModel]:
        """Return the configuration class of a component, without importing its factory.

        Raises:
            PluginError: it cannot be imported, or does not extend the base of its kind.
        """
        return _resolve_class(self.spec(name), "config", _CONFIGS.get(self.kind, BaseModel))

    def input_class(self, name: str) -> type[BaseModel]:
        """Return the input class of a conditioner, without importing its factory."""
        return _resolve_class(self.spec(name), "input", BaseModel)

    def config_schema(self, name: str) -> dict[str, Any]:
        """Return the JSON schema of a component's configuration."""
        return self.config_class(name).model_json_schema()

    def input_schema(self, name: str) -> dict[str, Any]:
        """Return the JSON schema of a conditioner's input."""
        return self.input_class(name).model_json_schema()

    def validate_config(self, name: str, config: Mapping[str, Any] | BaseModel) -> BaseModel:
        """Return `config` as the component's configuration.

        Raises:
            InvalidConfigError: a field is unknown, missing or invalid.
        """
        model = self.config_class(name)
        return validate(model, config, f"{self.kind.replace('_', ' ')} '{name}'")

    def build(self, name: str, config: Mapping[str, Any] | BaseModel) -> Any:
        """Return a new component built with `config`."""
        factory: Any = self.get(name)
        with guard_plugin(f"the {self.kind.replace('_', ' ')} '{self.spec(name).id}'"):
            return factory(self.validate_config(name, config))

    def _owners(self, name: str) -> list[ComponentSpec]:
        return [spec for spec in self.specs() if spec.name == name]

    def _hint(self, name: str) -> str:
        """Return how to fix an unknown name."""
        distribution, slash, _ = name.partition("/")
        if slash and all(spec.distribution != distribution for spec in self._specs.values()):
            failure = self._load_failure(distribution)
            return failure or f"Its plugin is not installed: {pip_install(distribution)}"
        kinds = self._kinds_of(name.lower())
        if kinds and self.kind not in kinds:
            uses = (_USES.get(kind, f"a {kind.replace('_', ' ')}") for kind in kinds)
            return f"'{name.lower()}' is {' and '.join(uses).format(name.lower())}"
        names = self.names()
        explained = explain_name(self.kind, name, names) or explain_measure(self.kind, name, names)
        return explained or suggestion(name, names)


def _check_callable(spec: ComponentSpec, component: Any) -> None:
    if not callable(component):
        found = f"expected a class or function at '{spec.factory}', found {component!r:.80}"
        raise PluginError(f"{spec.kind} '{spec.id}': {found}")


def _bind_defaults(spec: ComponentSpec, function: Any) -> Any:
    """Return a function with the defaults that it was registered with."""
    try:
        return bind(function, spec.defaults)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{spec.kind} '{spec.id}': invalid default: {error}") from None


def _explain_claims(owners: Sequence[ComponentSpec]) -> str:
    ids, first = " or ".join(f"'{spec.id}'" for spec in owners), owners[0]
    return (
        f"is claimed by several plugins: use {ids}, or choose one in the [aliases] of config.toml: "
        f'"{first.kind}.{first.name}" = "{first.id}"'
    )


def _resolve_class(spec: ComponentSpec, field: str, base: type[BaseModel]) -> type[BaseModel]:
    text = getattr(spec, field)
    if text is None:
        raise UnknownNameError(f"{spec.kind} '{spec.id}' has no {field} class")
    found = resolve(text, spec.id)
    if isinstance(found, type) and issubclass(found, base):
        return found
    expected = f"expected its {field} class '{text}' to extend {base.__name__}"
    raise PluginError(f"component '{spec.id}': {expected}")
