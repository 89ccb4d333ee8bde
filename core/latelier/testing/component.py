"""Checks of every registered component, of whatever kind."""

import inspect
from difflib import get_close_matches
from typing import Any, ClassVar

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import options_model, read_options
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.kernel.registry import Registry
from latelier.kernel.spec import ComponentSpec, Kind
from latelier.testing.support.probe import registering_imports_torch


class ComponentContract:
    """Base of all contracts.

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        required: the attributes that a test class must define.
    """

    kind: ClassVar[Kind]
    component: ClassVar[str]
    required: ClassVar[tuple[str, ...]] = ("component",)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__name__.startswith("Test"):  # what pytest collects
            _check_spelling(cls)
            missing = [name for name in cls.required if not hasattr(cls, name)]
            if missing:
                raise TypeError(f"{cls.__name__} must define {' and '.join(missing)}")

    def atelier(self) -> Atelier:
        """Return the atelier of the component: that of all installed plugins, unless overridden."""
        return default_atelier()

    @property
    def registry(self) -> Registry[Any]:
        """The registry of the component's kind."""
        return self.atelier().registries[self.kind]

    @property
    def spec(self) -> ComponentSpec:
        """The component as its plugin registered it.

        Raises:
            UnknownNameError: no component has this name; install the plugin first.
        """
        return self.registry.spec(self.component)

    def test_registering_does_not_import_torch(self) -> None:
        """Lists of plugins, help and schemas load every entry point, and must stay fast."""
        owner = self.spec.distribution
        imports_torch = registering_imports_torch(owner)
        if imports_torch is None:
            pytest.skip(f"{owner} has no installed entry point: the test registers it")
        assert not imports_torch, (
            f"loading the entry points of {owner} imports torch: register import strings, and "
            "import nothing but latelier.hookimpl in the plugin's module and its package"
        )


def _check_spelling(cls: type) -> None:
    """Refuse an attribute whose name resembles one that the contract reads."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base)}
    known = [name for name in inherited if not name.startswith(("_", "test"))]
    for name, value in vars(cls).items():
        if name not in inherited and not callable(value):
            for meant in get_close_matches(name, known, 1, 0.85):
                raise TypeError(f"{cls.__name__}.{name} is unknown; did you mean '{meant}'?")


class FunctionContract(ComponentContract):
    """Base of the contracts of functions with options, such as samplers.

    Attributes:
        options: the options to test it with, in addition to those that it is registered with.
    """

    options: ClassVar[dict[str, Any]] = {}

    @property
    def function(self) -> Any:
        """The registered function."""
        return self.registry.get(self.component)

    @property
    def fixed_options(self) -> dict[str, Any]:
        """The options of its registration, and those of the test."""
        return {**self.spec.defaults, **self.options}

    @property
    def all_options(self) -> dict[str, Any]:
        """All options of a call, defaults included, as a host reads them."""
        return read_options(self.function, self.fixed_options, f"{self.kind} '{self.component}'")

    def test_its_options_are_described(self) -> None:
        """Hosts draw a form from the options, which are the keyword-only parameters."""
        fields = options_model(self.function).model_fields
        undescribed = [name for name, field in fields.items() if not field.description]
        assert not undescribed, (
            f"the options {', '.join(undescribed)} have no description: write them as "
            "`name: Annotated[float, Field(description=...)] = default`, after a `*`"
        )
        unknown = [name for name in self.fixed_options if name not in fields]
        assert not unknown, f"unknown options {', '.join(unknown)}; known: {', '.join(fields)}"

    def test_it_refuses_unknown_options(self) -> None:
        """A misspelt option is an error that lists the known ones."""
        kinds = {each.kind for each in inspect.signature(self.function).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, (
            "it accepts any misspelt option as **options: name its options after a `*`"
        )
        with pytest.raises(InvalidInputError, match="no field 'no_such_option'"):
            read_options(self.function, {"no_such_option": 1}, f"{self.kind} '{self.component}'")
