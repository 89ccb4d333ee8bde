"""What is typed for adapters: their names, scales and inputs, checked before a model is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from latelier.contracts.errors import InvalidInputError, LatelierError
from latelier.contracts.frozen import Frozen, validate

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier
    from latelier.pipeline.pipeline import Pipeline


class _Options(Frozen):
    scale: float = Field(1.0, ge=0, allow_inf_nan=False)
    input: str | None = Field(None, min_length=1)


@dataclass(frozen=True)
class AskedAdapter:
    """An adapter to be added to a model.

    name: registered, or of a folder. scale: how much it counts. called: the name of its input.
    input: the class of that; None where its plugin is not there.
    """

    name: str
    scale: float
    called: str
    input: type[BaseModel] | None


def read_adapters(texts: Sequence[str], atelier: "Atelier") -> list[AskedAdapter]:
    """Return what 'NAME', or 'NAME:scale=0.8,input=INPUT', stand for. No weight is read.

    Raises:
        UnknownNameError, AmbiguousNameError: there is no one such adapter.
        ModelFileError: it is damaged.
        InvalidInputError: it cannot be read so, or two have inputs of one name.
    """
    found = [_read(text, atelier) for text in texts]
    names = [each.called for each in found]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(
                f"--adapter: two have the input '{name}'; name one differently with :input=NAME"
            )
    return found


def adapter_inputs(atelier: "Atelier") -> dict[str, tuple[str, type[BaseModel] | None] | str]:
    """Return the input of every registered adapter and its class, or why it cannot be read."""
    found: dict[str, tuple[str, type[BaseModel] | None] | str] = {}
    for name in atelier.adapters.names():
        try:
            asked = _read(name, atelier)
        except LatelierError as error:
            found[name] = str(error)
        else:
            found[name] = (asked.called, asked.input)
    return found


def with_adapters(pipeline: "Pipeline", adapters: Sequence[AskedAdapter]) -> "Pipeline":
    """Return a view of a pipeline with adapters."""
    for each in adapters:
        pipeline = pipeline.with_adapter(each.name, each.scale, as_=each.called)
    return pipeline


def _read(text: str, atelier: "Atelier") -> AskedAdapter:
    from latelier.cli.support.values import read_choice
    from latelier.pipeline.adapters import find_adapter

    choice = read_choice(text, "--adapter")
    name: str = choice["name"]
    options = _options(name, choice["options"])
    _, stored = find_adapter(name, atelier)
    try:
        model: type[BaseModel] | None = atelier.conditioners.input_class(stored.conditioner.id)
    except LatelierError:
        model = None  # adding the adapter says what is missing, and what to install
    return AskedAdapter(name, options.scale, options.input or stored.name, model)


def _options(name: str, given: Mapping[str, Any]) -> _Options:
    return validate(_Options, given, f"--adapter {name}", InvalidInputError)
