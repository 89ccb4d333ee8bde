"""From public inputs to rows: one input of each conditioner for each picture."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from PIL.Image import Image
from pydantic import BaseModel

from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.inputs import bare_field, read_input

Rows = Mapping[str, Sequence[BaseModel | None]]
"""Conditioner -> its input for each row; None for a row that takes the null part."""


class InputReader:
    """Reads public inputs for the conditioners that they feed.

    Args:
        conditioners: by name.
        inputs: public input -> names of the conditioners that it feeds.
    """

    def __init__(
        self, conditioners: Mapping[str, Conditioner[Any]], inputs: Mapping[str, Sequence[str]]
    ) -> None:
        self._conditioners = conditioners
        self._inputs = inputs

    def read(
        self,
        given: Mapping[str, Any],
        *,
        trusted: bool = True,
        check_count: Callable[[str, int], None] = lambda _public, _count: None,
    ) -> dict[str, list[BaseModel | None]]:
        """Return public inputs as rows, equally many for every conditioner.

        A list is one value if the input itself can be that list, else one value for each row. None
        in a list is a row without this input.

        Args:
            given: public input -> value.
            trusted: False for values from a client: they name no files.
            check_count: refuses a number of rows of a public input, before one of them is read.

        Raises:
            InvalidInputError: lists differ in length or are empty, or a value is invalid; the
                error names the input and the field, and says what is valid.
        """
        lists = {public: self._split(public, value, trusted) for public, value in given.items()}
        lengths = {public: len(each) for public, each in lists.items() if each is not None}
        if len(set(lengths.values())) > 1 or 0 in lengths.values():
            raise InvalidInputError(
                f"inputs need equally long, non-empty lists, not {lengths}",
                field=next(iter(lengths)),
            )
        for public, length in lengths.items():
            check_count(public, length)
        count = next(iter(lengths.values()), 1)
        rows: dict[str, list[BaseModel | None]] = {}
        for public, value in given.items():
            values = lists[public] or [value] * count
            for name in self._inputs[public]:
                model = self._conditioners[name].Input
                rows[name] = [
                    None if each is None else read_input(model, each, public, trusted=trusted)
                    for each in values
                ]
        return rows

    def with_first(self, rows: Rows, value: Any) -> dict[str, Sequence[BaseModel | None]]:
        """Return rows with `value` in all of them for the first public input.

        Raises:
            CompatibilityError: there is no public input.
            InvalidInputError: the input does not accept the value.
        """
        if not self._inputs:
            raise CompatibilityError("this model has no public input to give other values")
        return {**rows, **self.read({next(iter(self._inputs)): value})}

    def output_size(
        self, rows: Rows, others: Iterable[tuple[str, tuple[int, int]]] = ()
    ) -> tuple[int, int] | None:
        """Return the (width, height) that the inputs need; None if any size is valid.

        Args:
            rows: the inputs.
            others: further names, each with the size that it needs.

        Raises:
            InvalidInputError: two inputs need different sizes.
        """
        of_inputs = (
            (name, size)
            for name, value in _pairs(rows)
            if (size := self._conditioners[name].output_size(value)) is not None
        )
        requests = {size: f"{name} {size[0]}x{size[1]}" for name, size in (*of_inputs, *others)}
        if len(requests) > 1:
            raise InvalidInputError.of_field(
                "size",
                f"the inputs have different sizes, {' and '.join(requests.values())}; "
                "give `size`, or make them alike",
            )
        return next(iter(requests), None)

    def check(self, rows: Rows) -> list[str]:
        """Return the warnings of the conditioners about their inputs, each once."""
        warnings = (
            f"{self._public(name)}: {message}"
            for name, value in _pairs(rows)
            for message in self._conditioners[name].check(value)
        )
        return list(dict.fromkeys(warnings))

    def postprocess(self, rows: Rows, pictures: Sequence[Image]) -> list[Image]:
        """Return generated pictures as the inputs want them (see `Conditioner.postprocess`)."""
        done = list(pictures)
        for name, values in rows.items():
            process = self._conditioners[name].postprocess
            repeated = repeat_rows(name, values, len(done))
            done = [
                picture if value is None else process(picture, value)
                for picture, value in zip(done, repeated, strict=True)
            ]
        return done

    def to_json(self, rows: Rows) -> dict[str, list[Any]]:
        """Return rows as public inputs: JSON values that `read` accepts again."""
        return {
            public: [_to_short_form(value) for value in rows[names[0]]]
            for public, names in self._inputs.items()
            if names[0] in rows
        }

    def _public(self, name: str) -> str:
        """Return the public input that feeds a conditioner."""
        return next((public for public, names in self._inputs.items() if name in names), name)

    def _split(self, public: str, value: Any, trusted: bool) -> list[Any] | None:
        """Return a value for each row, or None where `value` is the one value of all rows."""
        if not isinstance(value, list | tuple):
            return None
        model = self._conditioners[self._inputs[public][0]].Input
        try:
            read_input(model, value, public, trusted=trusted)
        except InvalidInputError:
            if _takes_a_list(model) and not all(_is_row(each, model) for each in value):
                raise
            return list(value)
        return None


def repeat_rows(
    name: str, values: Sequence[BaseModel | None], count: int
) -> list[BaseModel | None]:
    """Return `count` values, with each of `values` repeated equally often, in order.

    Raises:
        InvalidInputError: `count` is not a multiple of the number of values; names the conditioner.
    """
    check_divisor(name, len(values), count)
    return [value for value in values for _ in range(count // len(values))]


def check_divisor(name: str, rows: int, count: int) -> None:
    """Refuse a number of rows that `count` pictures cannot repeat equally often.

    Raises:
        InvalidInputError: names the field.
    """
    if count % rows:
        raise InvalidInputError.of_field(name, f"{rows} values do not go with {count} pictures")


def _pairs(rows: Rows) -> Iterator[tuple[str, BaseModel]]:
    """Yield every conditioner with each of its inputs."""
    for name, values in rows.items():
        yield from ((name, value) for value in values if value is not None)


def _takes_a_list(model: type[BaseModel]) -> bool:
    try:
        field = model.model_json_schema()["properties"][bare_field(model, "")]
    except InvalidInputError:
        return False
    return bool(field.get("type") == "array")


def _is_row(value: Any, model: type[BaseModel]) -> bool:
    """Return whether `value`, in a list, stands for a whole input that itself takes a list."""
    if isinstance(value, dict):
        return bare_field(model, "") in value  # without it, the value is an item of such a list
    return value is None or isinstance(value, list | tuple | model)


def _to_short_form(value: BaseModel | None) -> Any:
    """Return the short form of an input where it has one that cannot be mistaken."""
    if value is None:
        return None
    values = value.model_dump(mode="json")
    only = next(iter(values.values())) if len(values) == 1 else values
    return values if isinstance(only, dict) else only
