"""The --adapter option: name, strength and input of each adapter, checked before loading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field, model_validator

from latelier.contracts.errors import InvalidInputError, LatelierError, ModelFileError
from latelier.contracts.frozen import Frozen, validate

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier
    from latelier.pipeline.adapters import Strength
    from latelier.pipeline.pipeline import Pipeline


NO_INPUT = "(no input)"
"""Stands for the input of an adapter that adds none."""


class _Options(Frozen):
    scale: float = Field(1.0, allow_inf_nan=False)
    start: float = Field(0.0, ge=0, le=1)
    end: float = Field(1.0, ge=0, le=1)
    input: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        if self.start > self.end:
            raise ValueError(f"expected a start before the end, got {self.start} and {self.end}")
        return self


@dataclass(frozen=True)
class AdapterRequest:
    """An adapter to attach to a model.

    Attributes:
        name: a registered name, or the path of a folder or file.
        strength: how strongly it acts, and when.
        input: name of the public input that the adapter adds; None: it adds none.
        input_class: class of that input; None if its plugin is not installed.
    """

    name: str
    strength: "Strength"
    input: str | None
    input_class: type[BaseModel] | None


def read_adapters(texts: Sequence[str], atelier: "Atelier") -> list[AdapterRequest]:
    """Parse 'NAME', 'NAME:0.8,end=0.6' or 'NAME:scale=0.8,input=INPUT'. No weights are read.

    Raises:
        UnknownNameError: no adapter has this name.
        AmbiguousNameError: several plugins register the name.
        ModelFileError: the adapter's files are damaged.
        InvalidInputError: the text does not parse, or two adapters add the same input.
    """
    requests = [_read(text, atelier) for text in texts]
    names = [each.input for each in requests if each.input is not None]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(
                f"--adapter: two adapters add the input '{name}'; rename one with :input=NAME"
            )
    return requests


def adapter_inputs(
    names: Sequence[str], atelier: "Atelier"
) -> dict[str, tuple[str, type[BaseModel] | None] | str]:
    """Return (input, class) of each adapter, or the error text if it is unreadable.

    Args:
        names: values of --adapter.
        atelier: where adapters are registered.
    """
    found: dict[str, tuple[str, type[BaseModel] | None] | str] = {}
    for name in names:
        try:
            request = _read(name, atelier)
        except LatelierError as error:
            found[name] = str(error)
        else:
            found[name] = (request.input or NO_INPUT, request.input_class)
    return found


def check_formats(adapters: Sequence[AdapterRequest], atelier: "Atelier") -> None:
    """Check that no adapter is a file or folder which must be imported first.

    Raises:
        ModelFileError: one is; says how to import it.
    """
    from latelier.checkpoints.adapter_files import explain_other_format
    from latelier.pipeline.adapters import find_adapter

    for each in adapters:
        path = find_adapter(each.name, atelier)[0].path
        reason = explain_other_format(path, atelier)
        if reason is not None:
            raise ModelFileError(f"{path}: {reason}")


def attach_adapters(pipeline: "Pipeline", adapters: Sequence[AdapterRequest]) -> "Pipeline":
    """Return a view of a pipeline with the adapters attached."""
    for each in adapters:
        pipeline = pipeline.with_adapter(each.name, **vars(each.strength), as_=each.input)
    return pipeline


def _read(text: str, atelier: "Atelier") -> AdapterRequest:
    from latelier.cli.options.values import read_named_options
    from latelier.pipeline.adapters import Strength, find_adapter

    start, _, rest = text.rpartition(":")
    if start and _is_number(rest.partition(",")[0]):
        text = f"{start}:scale={rest}"
    named = read_named_options(text, "--adapter")
    name: str = named["name"]
    options = _read_options(name, named["options"])
    _, stored = find_adapter(name, atelier)
    strength = Strength(options.scale, options.start, options.end)
    if stored is None or stored.conditioner is None:
        if options.input is not None:
            raise InvalidInputError(f"--adapter {name}: expected no input: it changes weights")
        return AdapterRequest(name, strength, None, None)
    if options.scale < 0:
        raise InvalidInputError(
            f"--adapter {name}: 'scale': expected 0 or more, got {options.scale:g}"
        )
    try:
        input_class: type[BaseModel] | None = atelier.conditioners.input_class(
            stored.conditioner.id
        )
    except LatelierError:
        input_class = None  # attaching the adapter reports what to install
    return AdapterRequest(name, strength, options.input or stored.name, input_class)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_options(name: str, values: Mapping[str, Any]) -> _Options:
    return validate(_Options, values, f"--adapter {name}", InvalidInputError)
