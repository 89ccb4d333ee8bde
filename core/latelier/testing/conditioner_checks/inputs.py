"""Checks of the inputs of a conditioner."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.testing.conditioner_checks.base import ConditionerBase
from latelier.testing.support.schemas import check_described, check_refuses, check_round_trip


class InputChecks(ConditionerBase):
    """Inputs can be stored, describe themselves, and are refused with a clear error if bad."""

    def test_its_input_survives_a_round_trip(self) -> None:
        """A picture's record holds its inputs as JSON: they come back as the same values."""
        model = self.registry.input_class(self.component)
        for value in self.inputs:
            check_round_trip(model, self.read(value), "input")

    def test_its_input_refuses_what_it_does_not_know(self) -> None:
        """A misspelt field is an error, and not a silent default."""
        value = self.read(self.inputs[0])
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        check_refuses(type(value), fields, "input")

    def test_its_input_is_described(self) -> None:
        """Every field has a description: hosts make forms and help from it."""
        check_described(self.registry.input_class(self.component), "input")

    def test_it_names_its_input(self) -> None:
        """The registered input class is the conditioner's `Input`."""
        registered = self.registry.input_class(self.component)
        assert self.registry.get(self.component).Input is registered

    def test_a_bad_input_is_refused(self) -> None:
        """No bad input is corrected in silence, or left to fail inside the model."""
        if not self.bad_inputs:
            pytest.skip("give `bad_inputs`: values that people might try and that are invalid")
        component = self.build()
        for value in self.bad_inputs:
            try:
                with torch.no_grad():
                    component.encode([value], self.geometry)
            except Exception:  # noqa: S112  # the next check covers the class of the error
                continue
            pytest.fail(f"it accepts the bad input {value!r:.200}: raise InvalidInputError")

    def test_a_refusal_is_one_clear_error(self) -> None:
        """It is an InvalidInputError of one line, which names the field or the value."""
        component = self.build()
        for value in self.bad_inputs:
            try:
                with torch.no_grad():
                    component.encode([value], self.geometry)
            except InvalidInputError as error:
                self._check_text(str(error), value)
            except Exception as error:
                pytest.fail(
                    f"the bad input {value!r:.200} raises {type(error).__name__} ({error}): raise "
                    "ValueError in a validator of Input, or InvalidInputError in prepare"
                )

    def _check_text(self, text: str, value: Any) -> None:
        fields = self.registry.input_class(self.component).model_fields
        names = [*(name.rstrip("s") for name in fields), *_quoted_values(value)]
        assert "\n" not in text, f"the error has several lines: {text}"
        assert any(name.lower() in text.lower() for name in names), (
            f"the error names neither a field of the input ({', '.join(fields)}) nor the value: "
            f"'{text}'"
        )


def _quoted_values(value: Any) -> list[str]:
    """Return the texts and numbers in a value, as an error would quote them."""
    if isinstance(value, Mapping):
        return [text for item in value.items() for text in _quoted_values(list(item))]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _quoted_values(item)]
    return [str(value)[:20]] if isinstance(value, str | int | float) and str(value) else []
