"""The choice of a sampler, a schedule or a guidance rule, with its options."""

from typing import Any

from pydantic import Field, model_validator

from latelier.kernel.frozen import Frozen
from latelier.kernel.options import read_options
from latelier.kernel.registry import Registry


class Choice(Frozen):
    """A registered name and options: read from 'ddim' or {'name': 'ddim', 'eta': 0.5}."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "name" in value and "options" not in value:
            return {
                "name": value["name"],
                "options": {key: each for key, each in value.items() if key != "name"},
            }
        return value

    def resolved(self, registry: Registry[Any]) -> "Choice":
        """Return the choice by its full id, its options validated and complete.

        Raises:
            UnknownNameError, AmbiguousNameError: see `Registry.spec`.
            InvalidInputError: an option that it does not have, or one out of range.
        """
        spec = registry.spec(self.name)
        what = f"{spec.kind} '{self.name}'"
        options = read_options(registry.get(spec.id), {**spec.defaults, **self.options}, what)
        return Choice(name=spec.id, options=options)


class GuidanceChoice(Choice):
    """A guidance rule; a bare number is the scale of classifier-free guidance."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"name": "cfg", "options": {"scale": value}}
        return value
