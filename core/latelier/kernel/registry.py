"""A registry: the components of one kind."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from latelier.contracts.configs import ConditionerConfig, DenoiserConfig, FirstStageConfig
from latelier.contracts.errors import AmbiguousNameError, PluginError, UnknownNameError, suggestion
from latelier.contracts.frozen import validate
from latelier.contracts.options import bind
from latelier.kernel.spec import ComponentSpec, Kind, locate, resolve

T = TypeVar("T")

_CONFIGS: dict[Kind, type[BaseModel]] = {
    "first_stage": FirstStageConfig,
    "denoiser": DenoiserConfig,
    "conditioner": ConditionerConfig,
}


class Registry(Generic[T]):
    """The components of one kind, by id ('distribution/name') or by bare name while unique.

    A user alias settles a name that two distributions claim. Specs are names only: `get` imports.

    Args:
        kind: of all of them.
        aliases: name -> id.
        left_out: says of a distribution why what it registers is not here, or ''.
    """

    def __init__(
        self,
        kind: Kind,
        aliases: Mapping[str, str] | None = None,
        left_out: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.kind: Kind = kind
        self._aliases = dict(aliases or {})
        self._left_out = left_out
        self._specs: dict[str, ComponentSpec] = {}
        self._bound: dict[str, partial[Any]] = {}

    def add(self, spec: ComponentSpec) -> None:
        """Add a component, whose id is not taken."""
        assert spec.id not in self._specs
        self._specs[spec.id] = spec

    def __contains__(self, id_: str) -> bool:
        """Tell whether the full id `id_` is registered."""
        return id_ in self._specs

    def specs(self) -> list[ComponentSpec]:
        """Return the specs of all components, by id."""
        return [self._specs[id_] for id_ in sorted(self._specs)]

    def names(self) -> list[str]:
        """Return the names to ask for: bare where unique, else full ids; aliases too."""
        names = {
            spec.name if len(self._owners(spec.name)) == 1 else spec.id
            for spec in self._specs.values()
        }
        return sorted(names | self._aliases.keys())

    def spec(self, name: str) -> ComponentSpec:
        """Return the spec of a bare name, an alias or an id.

        Raises:
            UnknownNameError: nobody registered it; the nearest name is suggested, or for an id of
                a distribution without any, the pip line or why it was left out.
            AmbiguousNameError: several distributions did; all are listed.
        """
        name = self._aliases.get(name, name)
        if name in self._specs:
            return self._specs[name]
        owners = self._owners(name)
        if len(owners) == 1:
            return owners[0]
        what = self.kind.replace("_", " ")
        if owners:
            ids = " or ".join(f"'{spec.id}'" for spec in owners)
            raise AmbiguousNameError(
                f"{what} '{name}' is claimed by several plugins: ask for {ids}, or choose one in "
                f'the [aliases] of config.toml: "{self.kind}.{name}" = "{owners[0].id}"'
            )
        raise UnknownNameError(f"there is no {what} '{name}'. {self._hint(name)}")

    def get(self, name: str) -> T:
        """Return the class or function of a name, imported now.

        A function has the defaults that it was registered with: `get("euler_ancestral")` and
        `get("ddim")` differ in their default of `eta`.

        Raises:
            UnknownNameError: see `spec`.
            AmbiguousNameError: see `spec`.
            PluginError: its module cannot be imported, it does not have an option that it was
                registered with, or it is data.
        """
        spec = self.spec(name)
        if spec.factory is None:
            raise PluginError(f"{self.kind} '{spec.id}' is a folder of data, not code to import")
        component = resolve(spec.factory, spec.id)
        return self._with_defaults(spec, component) if spec.defaults else component

    def folder(self, name: str) -> Path:
        """Return the folder of a component that is data; nothing of it is read or imported.

        Raises:
            UnknownNameError, AmbiguousNameError: see `spec`.
            PluginError: it is not there, or the component is no data.
        """
        spec = self.spec(name)
        if spec.folder is None:
            raise PluginError(f"{self.kind} '{spec.id}' is code, and no folder of data")
        return locate(spec.folder, spec.id)

    def config_class(self, name: str) -> type[BaseModel]:
        """Return the configuration class of a component; its factory is not imported.

        Raises:
            UnknownNameError, AmbiguousNameError: see `spec`.
            PluginError: it cannot be imported, or is not of the base that its kind asks for.
        """
        return self._class(name, "config", _CONFIGS.get(self.kind, BaseModel))

    def input_class(self, name: str) -> type[BaseModel]:
        """Return the input class of a conditioner; its factory is not imported."""
        return self._class(name, "input", BaseModel)

    def config_schema(self, name: str) -> dict[str, Any]:
        """Return the JSON schema of a component's configuration."""
        return self.config_class(name).model_json_schema()

    def input_schema(self, name: str) -> dict[str, Any]:
        """Return the JSON schema of a conditioner's input."""
        return self.input_class(name).model_json_schema()

    def validate_config(self, name: str, config: Mapping[str, Any] | BaseModel) -> BaseModel:
        """Return `config` validated as the component's configuration.

        Raises:
            InvalidConfigError: names the component, the field and what would be right.
        """
        model = self.config_class(name)
        return validate(model, config, f"{self.kind.replace('_', ' ')} '{name}'")

    def build(self, name: str, config: Mapping[str, Any] | BaseModel) -> Any:
        """Return a new component built with `config`."""
        factory: Any = self.get(name)
        return factory(self.validate_config(name, config))

    def _hint(self, name: str) -> str:
        """Return what would mend an unknown name: the plugin of an id, or the nearest name."""
        distribution, slash, _ = name.partition("/")
        if slash and all(spec.distribution != distribution for spec in self._specs.values()):
            left_out = self._left_out(distribution)
            return left_out or f"It is of a plugin that is not here: pip install {distribution}"
        return suggestion(name, self.names())

    def _with_defaults(self, spec: ComponentSpec, function: Any) -> Any:
        bound = self._bound.get(spec.id)
        if bound is None or bound.func is not function:
            try:
                bound = bind(function, spec.defaults)
            except (TypeError, ValueError) as error:
                raise PluginError(f"{self.kind} '{spec.id}': invalid default: {error}") from None
            self._bound[spec.id] = bound  # one object, so that its model of options is made once
        return bound

    def _owners(self, name: str) -> list[ComponentSpec]:
        return [spec for spec in self.specs() if spec.name == name]

    def _class(self, name: str, field: str, base: type[BaseModel]) -> type[BaseModel]:
        spec = self.spec(name)
        text = getattr(spec, field)
        if text is None:
            raise UnknownNameError(f"{self.kind} '{spec.id}' has no {field} class")
        found = resolve(text, spec.id)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginError(
                f"component '{spec.id}' gives '{text}' as its {field}: that is no {base.__name__}"
            )
        return found
