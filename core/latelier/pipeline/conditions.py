"""From what a person gives to conditions."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel

from latelier.kernel.condition import Condition, Part
from latelier.kernel.contracts import Conditioner, Frame
from latelier.kernel.errors import InvalidInputError, UnknownNameError, suggestion
from latelier.kernel.inputs import bare_field, read_input

Inputs = Mapping[str, Sequence[Any]]
"""Public input -> one value for each row."""


class ConditionBuilder:
    """Runs a pipeline's conditioners on the public inputs that feed them."""

    def __init__(
        self,
        conditioners: Mapping[str, Conditioner],
        inputs: Mapping[str, Sequence[str]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._conditioners = conditioners
        self._inputs = inputs
        self._device = device
        self._dtype = dtype

    def rows(self, given: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return `given` with a list of values, equally many, for every public input.

        A list is one value for each row, except where the input itself is a list: then a list of
        lists or of mappings is.

        Raises:
            UnknownNameError: a keyword that no conditioner takes.
            InvalidInputError: lists of different lengths, or an empty one.
        """
        for name in given:
            if name not in self._inputs:
                raise UnknownNameError(
                    f"nothing here takes '{name}'. {suggestion(name, self._inputs)}"
                )
        lists = {
            name: list(value)
            for name, value in given.items()
            if isinstance(value, list | tuple) and self._holds_rows(name, value)
        }
        lengths = {name: len(values) for name, values in lists.items()}
        if len(set(lengths.values())) > 1 or 0 in lengths.values():
            raise InvalidInputError(f"inputs need equally long, non-empty lists, not {lengths}")
        count = next(iter(lengths.values()), 1)
        return {name: lists.get(name, [value] * count) for name, value in given.items()}

    def condition(self, inputs: Inputs, count: int, frame: Frame) -> Condition:
        """Return the condition of `count` rows; what is not given takes its null part.

        Raises:
            InvalidInputError: names the input, the field and what would be right.
        """
        return self._joined(
            {
                name: self._part(name, inputs[public], frame)
                if public in inputs
                else self._conditioners[name].null(count, frame)
                for public, names in self._inputs.items()
                for name in names
            }
        )

    def readable(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return inputs as JSON values that can be given again."""
        rows = self.rows(given)
        return {
            name: [self._dumped(name, value) for value in values] for name, values in rows.items()
        }

    def _dumped(self, name: str, value: Any) -> Any:
        model = self._model(name)
        values = read_input(model, value, f"input '{name}'").model_dump(mode="json")
        return next(iter(values.values())) if len(values) == 1 else values

    def _model(self, public: str) -> type[BaseModel]:
        return self._conditioners[self._inputs[public][0]].Input

    def _part(self, name: str, values: Sequence[Any], frame: Frame) -> Part:
        conditioner = self._conditioners[name]
        read = [read_input(conditioner.Input, value, f"input '{name}'") for value in values]
        batch = conditioner.prepare(read, frame)
        return conditioner({key: tensor.to(self._device) for key, tensor in batch.items()})

    def _joined(self, parts: Mapping[str, Part]) -> Condition:
        moved = {name: Condition.of({name: part}) for name, part in parts.items()}
        joined = Condition()
        for condition in moved.values():
            joined = joined.joined(condition.to(self._device, self._dtype))
        return joined

    def _holds_rows(self, name: str, value: Sequence[Any]) -> bool:
        model = self._model(name)
        return not _takes_a_list(model, name) or all(
            isinstance(each, list | tuple | dict | BaseModel) for each in value
        )


def _takes_a_list(model: type[BaseModel], name: str) -> bool:
    try:
        field = bare_field(model, name)
    except InvalidInputError:
        return False
    schema = model.model_json_schema()["properties"][field]
    return bool(schema.get("type") == "array")
