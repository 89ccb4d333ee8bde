"""From what a person gives to conditions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL.Image import Image
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError, ConditionError, InvalidInputError
from latelier.contracts.inputs import bare_field, read_input
from latelier.pipeline.tiling.windows import WHOLE, Window

Rows = Mapping[str, Sequence[BaseModel]]
"""Conditioner -> its input for each row."""


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

    def read(self, given: Mapping[str, Any]) -> dict[str, list[BaseModel]]:
        """Return public inputs as rows, equally many for every conditioner.

        A list is one value if the input itself can be that list, else one value for each row.

        Raises:
            InvalidInputError: lists of different lengths, an empty one, or a value that does not
                fit; names the input, the field and what would be right.
        """
        lists = {name: self._values(name, value) for name, value in given.items()}
        lengths = {name: len(values) for name, values in lists.items() if values is not None}
        if len(set(lengths.values())) > 1 or 0 in lengths.values():
            raise InvalidInputError(f"inputs need equally long, non-empty lists, not {lengths}")
        rows = next(iter(lengths.values()), 1)
        return {
            name: [read_input(self._conditioners[name].Input, each, public) for each in values]
            for public, values in (
                (public, lists[public] or [given[public]] * rows) for public in given
            )
            for name in self._inputs[public]
        }

    def with_first(self, rows: Rows, value: Any) -> dict[str, Sequence[BaseModel]]:
        """Return rows with `value` in all of them for the first public input.

        Raises:
            CompatibilityError: there is no public input.
            InvalidInputError: that input cannot take it.
        """
        if not self._inputs:
            raise CompatibilityError("this model has no public input to give other values")
        return {**rows, **self.read({next(iter(self._inputs)): value})}

    def output_size(
        self, rows: Rows, others: Iterable[tuple[str, tuple[int, int]]] = ()
    ) -> tuple[int, int] | None:
        """Return the (width, height) that the inputs ask for; None where any will do.

        Args:
            rows: the inputs.
            others: further names, each with the size that it asks for.

        Raises:
            InvalidInputError: two of them ask for different sizes.
        """
        of_inputs = (
            (name, size)
            for name, values in rows.items()
            for size in map(self._conditioners[name].output_size, values)
            if size is not None
        )
        asked = {size: f"{name} {size[0]}x{size[1]}" for name, size in (*of_inputs, *others)}
        if len(asked) > 1:
            raise InvalidInputError(
                f"size: the inputs ask for different sizes, {' and '.join(asked.values())}; "
                "give one, or make them alike"
            )
        return next(iter(asked), None)

    def condition(self, rows: Rows, count: int, frame: PictureGeometry) -> Condition:
        """Return the condition of `count` rows; what is not given takes its null part.

        Raises:
            InvalidInputError: a number of rows that does not go with `count`, or an input that its
                conditioner refuses.
        """
        return self._joined(self._conditioners, rows, count, frame)

    def _joined(
        self, names: Iterable[str], rows: Rows, count: int, frame: PictureGeometry
    ) -> Condition:
        """Return the condition that these conditioners give."""
        joined = Condition()
        for name in names:
            conditioner = self._conditioners[name]
            if name in rows:
                part = self._part(name, _spread(name, rows[name], count), frame)
            else:
                part = conditioner.null(count, frame)
            joined = joined.union(Condition.of({name: part}).to(self._device, self._dtype))
        return joined

    def steered_from(
        self, condition: Condition, negative: Rows, frame: PictureGeometry
    ) -> Condition:
        """Return the other side of guidance: `negative`, and null parts where it says nothing.

        Spatial parts stay as they are in `condition` unless `negative` has them, as the published
        inpainting and super-resolution models want it: they were never trained without.
        """
        kept = {name: each for name, each in condition.spatial.items() if name not in negative}
        alone = kept.keys() - condition.streams.keys() - condition.vectors.keys()
        asked = [name for name in self._conditioners if name not in alone]
        other = self._joined(asked, negative, condition.batch or 1, frame)
        return replace(other, spatial={**other.spatial, **kept})

    def seen(
        self, whole: Condition, rows: Rows, frame: PictureGeometry, window: Window
    ) -> Condition:
        """Return what `whole`, which was made of `rows` in `frame`, is through a window.

        Spatial parts and the regions of streams are cropped. Conditioners that give streams or
        vectors are asked again for the window, by `Conditioner.crop` and `frame.crop`.

        Raises:
            ConditionError: a spatial part that is not of latent size.
        """
        for name, part in whole.spatial.items():
            if part.shape[2:] != frame.latent_size:
                raise ConditionError(
                    f"the spatial part '{name}' has the size {tuple(part.shape[2:])}, which cannot "
                    f"be cut to a window of latents of {frame.latent_size}"
                )
        told = {*whole.streams, *whole.vectors}
        names = [name for name in self._conditioners if name in told]
        anew = self._joined(names, rows, whole.batch or 1, replace(frame, crop=window.box))
        streams = {name: _regional(stream, frame, window) for name, stream in anew.streams.items()}
        spatial = {name: window.of(part) for name, part in whole.spatial.items()}
        return Condition(streams, spatial, anew.vectors)

    def finished(self, rows: Rows, pictures: Sequence[Image]) -> list[Image]:
        """Return generated pictures as the inputs want them (see `Conditioner.postprocess`)."""
        done = list(pictures)
        for name, values in rows.items():
            spread = _spread(name, values, len(done))
            finish = self._conditioners[name].postprocess
            done = [finish(picture, value) for picture, value in zip(done, spread, strict=True)]
        return done

    def readable(self, rows: Rows) -> dict[str, list[Any]]:
        """Return rows as public inputs, JSON values that `read` takes again."""
        return {
            public: [_dumped(value) for value in rows[names[0]]]
            for public, names in self._inputs.items()
            if names[0] in rows
        }

    def _part(self, name: str, values: Sequence[Any], frame: PictureGeometry) -> ConditionPart:
        conditioner = self._conditioners[name]
        try:
            batch: Mapping[str, Tensor] = conditioner.prepare(
                values, replace(frame, crop=WHOLE, first_stage=None)
            )
        except InvalidInputError as error:
            public = next(public for public, fed in self._inputs.items() if name in fed)
            raise InvalidInputError(f"input '{public}': {error}") from None
        if frame.crop != WHOLE:
            batch = conditioner.crop(batch, frame.crop)
        return conditioner({key: tensor.to(self._device) for key, tensor in batch.items()}, frame)

    def _values(self, public: str, value: Any) -> list[Any] | None:
        """Return the values of the rows, or None where `value` is the one value of all."""
        if not isinstance(value, list | tuple):
            return None
        model = self._conditioners[self._inputs[public][0]].Input
        try:
            read_input(model, value, public)
        except InvalidInputError:
            if _takes_a_list(model) and not all(_is_row(each, model) for each in value):
                raise
            return list(value)
        return None


def _regional(stream: Stream, frame: PictureGeometry, window: Window) -> Stream:
    """Return a stream with the window's part of its region, which may be of any resolution."""
    if stream.region is None:
        return stream
    return replace(stream, region=window.of(adaptive_avg_pool2d(stream.region, frame.latent_size)))


def _takes_a_list(model: type[BaseModel]) -> bool:
    try:
        field = model.model_json_schema()["properties"][bare_field(model, "")]
    except InvalidInputError:
        return False
    return bool(field.get("type") == "array")


def _is_row(value: Any, model: type[BaseModel]) -> bool:
    """Return whether `value`, in a list, stands for a whole input that itself takes a list."""
    if isinstance(value, dict):
        return bare_field(model, "") in value  # without it, it is one item of such a list
    return isinstance(value, list | tuple | model)


def _spread(name: str, values: Sequence[Any], count: int) -> list[Any]:
    """Return `count` values: each of `values` equally often, in order."""
    if count % len(values):
        raise InvalidInputError(f"{name}: {len(values)} values do not go with {count} pictures")
    return [value for value in values for _ in range(count // len(values))]


def _dumped(value: BaseModel) -> Any:
    """Return the short form of an input where it has one that cannot be mistaken."""
    values = value.model_dump(mode="json")
    only = next(iter(values.values())) if len(values) == 1 else values
    return values if isinstance(only, dict) else only
