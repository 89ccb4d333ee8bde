"""What every registered component keeps to, of whatever kind."""

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
from latelier.testing.probe import torch_after_registering


class ComponentContract:
    """Base of all contracts.

    component: the full id, 'distribution/name', or the bare name while it is unique.
    """

    kind: ClassVar[Kind]
    component: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("component",)
    """What a test class has to name."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__name__.startswith("Test"):  # what pytest collects
            _check_spelling(cls)
            missing = [name for name in cls.needs if not hasattr(cls, name)]
            if missing:
                raise TypeError(f"{cls.__name__} has to say its {' and its '.join(missing)}")

    def atelier(self) -> Atelier:
        """Return where the component is looked up: the installed plugins, unless overridden."""
        return default_atelier()

    @property
    def registry(self) -> Registry[Any]:
        """The registry of its kind."""
        return self.atelier().registry(self.kind)

    @property
    def spec(self) -> ComponentSpec:
        """What it registered.

        Raises:
            UnknownNameError: nothing of that name is registered; install the plugin first.
        """
        return self.registry.spec(self.component)

    def test_registering_it_does_not_import_torch(self) -> None:
        """Listing plugins, help and schemas load every entry point, and must stay fast."""
        owner = self.spec.distribution
        imports_torch = torch_after_registering(owner)
        if imports_torch is None:
            pytest.skip(f"{owner} is registered by the test: it has no entry point installed")
        assert not imports_torch, (
            f"loading the entry points of {owner} imports torch: register import strings, and "
            "import nothing but latelier.hookimpl in the plugin's module and its package"
        )


def _check_spelling(cls: type) -> None:
    """Refuse an attribute whose name is all but one that the contract looks at."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base)}
    known = [name for name in inherited if not name.startswith(("_", "test"))]
    for name, value in vars(cls).items():
        if name not in inherited and not callable(value):
            for meant in get_close_matches(name, known, 1, 0.85):
                raise TypeError(f"{cls.__name__}.{name}: is '{meant}' meant?")


class FunctionContract(ComponentContract):
    """Base of the contracts of functions with options: samplers, schedules and guidance.

    options: the options to test it with, beside those that it is registered with.
    """

    options: ClassVar[dict[str, Any]] = {}

    @property
    def function(self) -> Any:
        """The function itself, imported now."""
        return self.registry.get(self.component)

    @property
    def given(self) -> dict[str, Any]:
        """The options that are given: those of its name, and those of the test."""
        return {**self.spec.defaults, **self.options}

    @property
    def chosen(self) -> dict[str, Any]:
        """All options of a call, as a host reads them."""
        return read_options(self.function, self.given, f"{self.kind} '{self.component}'")

    def test_its_options_are_described(self) -> None:
        """Hosts draw a form from the options, the keyword-only parameters: each says what it is."""
        fields = options_model(self.function).model_fields
        mute = [name for name, field in fields.items() if not field.description]
        assert not mute, (
            f"the options {', '.join(mute)} have no description: write them as "
            "`name: Annotated[float, Field(description=...)] = default`, after a `*`"
        )
        unknown = [name for name in self.given if name not in fields]
        assert not unknown, f"there is no option {', '.join(unknown)}; known: {', '.join(fields)}"

    def test_it_refuses_options_that_it_does_not_have(self) -> None:
        """A misspelt option is an error that lists those there are."""
        kinds = {each.kind for each in inspect.signature(self.function).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, (
            "it takes **options, and with them any misspelt one: name its options after a `*`"
        )
        with pytest.raises(InvalidInputError, match="no field 'no_such_option'"):
            read_options(self.function, {"no_such_option": 1}, f"{self.kind} '{self.component}'")
