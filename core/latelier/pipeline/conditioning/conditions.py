"""From rows of inputs to conditions: the conditioners of a pipeline at work."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, Stream, where
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import ConditionError, InvalidInputError, PluginError
from latelier.kernel.trust.guard import guard_plugin
from latelier.pipeline.conditioning.rows import InputReader, Rows, repeat_rows
from latelier.pipeline.tiling.windows import WHOLE, Window


@dataclass(frozen=True, eq=False)
class Conditions:
    """The condition and the negative condition of a batch, which guidance compares.

    Attributes:
        condition: of the inputs.
        negative: of the negative inputs. A conditioner without a negative input has its null part,
            so without negative inputs this is the null condition. It lacks the parts that guidance
            keeps.
    """

    condition: Condition
    negative: Condition


class ConditionBuilder(InputReader):
    """Reads public inputs, and runs the conditioners that they feed.

    Args:
        conditioners: by name.
        inputs: public input -> names of the conditioners that it feeds.
        device: of the conditions.
        dtype: of the conditions.
    """

    def __init__(
        self,
        conditioners: Mapping[str, Conditioner[Any]],
        inputs: Mapping[str, Sequence[str]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(conditioners, inputs)
        self._device = device
        self._dtype = dtype

    def conditions(
        self, inputs: Rows, negative: Rows, count: int, geometry: PictureGeometry
    ) -> Conditions:
        """Return the condition and the negative condition of `count` pictures."""
        condition = self.condition(inputs, count, geometry)
        return Conditions(condition, self.negative_condition(condition, negative, geometry))

    def condition(self, rows: Rows, count: int, geometry: PictureGeometry) -> Condition:
        """Return the condition of `count` pictures; a missing input takes its null part.

        Raises:
            InvalidInputError: a number of rows does not divide `count`, or a conditioner refuses
                its input.
        """
        return self._union(self._conditioners, rows, count, geometry)

    def negative_condition(
        self, condition: Condition, negative: Rows, geometry: PictureGeometry
    ) -> Condition:
        """Return the condition of the negative inputs; a missing input takes its null part.

        A part that guidance keeps is left out, unless `negative` has it. A spatial part stays as it
        is in `condition`, unless `negative` has it or its conditioner is guided: the published
        inpainting and super-resolution models were never trained without them.
        """
        kept = {
            name: part
            for name, part in condition.spatial.items()
            if name not in negative and not self._conditioners[name].config.is_guided
        }
        only_spatial = kept.keys() - condition.streams.keys() - condition.vectors.keys()
        names = [
            name
            for name, each in self._conditioners.items()
            if name in negative or not (each.config.is_kept_in_negative or name in only_spatial)
        ]
        other = self._union(names, negative, condition.batch or 1, geometry)
        return replace(other, spatial={**other.spatial, **kept})

    def for_window(
        self, whole: Condition, rows: Rows, geometry: PictureGeometry, window: Window
    ) -> Condition:
        """Return the condition of a window of the picture.

        Spatial parts and the regions of streams are cropped. Conditioners that give streams or
        vectors run again with `geometry.crop`, on what `Conditioner.crop` makes of their batch.

        Args:
            whole: the condition of the whole picture.
            rows: the inputs that it was made from.
            geometry: of the whole picture.
            window: of the latents.

        Raises:
            ConditionError: a spatial part is not of latent size.
        """
        for name, part in whole.spatial.items():
            if part.shape[2:] != geometry.latent_size:
                raise ConditionError(
                    f"the spatial part '{name}' has the size {tuple(part.shape[2:])}, which cannot "
                    f"be cut to a window of latents of {geometry.latent_size}"
                )
        with_tokens = {*whole.streams, *whole.vectors}
        names = [name for name in self._conditioners if name in with_tokens]
        cropped = replace(geometry, crop=window.box)
        parts = self._union(names, rows, whole.batch or 1, cropped)
        streams = {
            name: _crop_region(stream, geometry, window) for name, stream in parts.streams.items()
        }
        spatial = {name: window.of(part) for name, part in whole.spatial.items()}
        return Condition(streams, spatial, parts.vectors)

    def knows_pixels(self, name: str) -> bool:
        """Return whether there is a conditioner of that name that knows pixels."""
        return name in self._conditioners and self._conditioners[name].config.knows_pixels

    def known_pixels(
        self, names: Iterable[str], rows: Rows, count: int, geometry: PictureGeometry
    ) -> Tensor:
        """Return what inputs know of pixels, (B, 4 K, H, W); see `Conditioner.known_pixels`.

        Args:
            names: of the K conditioners; of one that is not there or has no input nothing is known.
            rows: the inputs.
            count: number of pictures B.
            geometry: of a picture.

        Raises:
            PluginError: what a conditioner returns has another shape.
        """
        parts = [self._known_part(name, rows.get(name), count, geometry) for name in names]
        return torch.cat(parts, dim=1)

    def check_prepare(self, rows: Rows, geometry: PictureGeometry) -> None:
        """Prepare inputs and discard the result, so that a fault in one raises now.

        Raises:
            InvalidInputError: a conditioner refuses its input.
        """
        for name, values in rows.items():
            given = [value for value in values if value is not None]
            if given:
                self._prepare(name, given, geometry)

    def _union(
        self, names: Iterable[str], rows: Rows, count: int, geometry: PictureGeometry
    ) -> Condition:
        """Return the condition that the conditioners of these names give."""
        union = Condition()
        for name in names:
            part = self._part(name, rows.get(name), count, geometry)
            union = union.union(Condition.of({name: part}).to(self._device, self._dtype))
        return union

    def _part(
        self,
        name: str,
        values: Sequence[BaseModel | None] | None,
        count: int,
        geometry: PictureGeometry,
    ) -> ConditionPart:
        """Return what a conditioner gives for `values`, and its null part where there are none."""
        filled, given = _fill(name, values, count)
        if not filled:
            return self._null(name, count, geometry)
        part = self._encode(name, filled, geometry)
        if given.all():
            return part
        return where(given.to(self._device), part, self._null(name, count, geometry))

    def _known_part(
        self,
        name: str,
        values: Sequence[BaseModel | None] | None,
        count: int,
        geometry: PictureGeometry,
    ) -> Tensor:
        """Return what the inputs of a conditioner know of pixels, (B, 4, H, W); zeros if none."""
        filled, given = _fill(name, values, count)
        shape = (count, 4, *geometry.size)
        if not filled or not self.knows_pixels(name):
            return torch.zeros(shape, device=self._device, dtype=self._dtype)
        batch = self._prepare(name, filled, geometry)
        with guard_plugin(f"the conditioner '{name}'"):
            batch = {key: each.to(self._device) for key, each in batch.items()}
            known = self._conditioners[name].known_pixels(batch, geometry)
        if known.shape != shape:
            raise PluginError(
                f"the conditioner '{name}' returned known pixels of shape {tuple(known.shape)}, "
                f"expected {shape}"
            )
        known = known.to(self._device, self._dtype)
        return known * given.to(known)[:, None, None, None]

    def _null(self, name: str, count: int, geometry: PictureGeometry) -> ConditionPart:
        with guard_plugin(f"the conditioner '{name}'"):
            return self._conditioners[name].null(count, geometry)

    def _encode(self, name: str, values: Sequence[Any], geometry: PictureGeometry) -> ConditionPart:
        conditioner = self._conditioners[name]
        batch = self._prepare(name, values, geometry)
        with guard_plugin(f"the conditioner '{name}'"):
            if geometry.crop != WHOLE:
                batch = conditioner.crop(batch, geometry.crop)
            batch = {key: each.to(self._device) for key, each in batch.items()}
            return conditioner(batch, geometry)

    def _prepare(
        self, name: str, values: Sequence[Any], geometry: PictureGeometry
    ) -> Mapping[str, Tensor]:
        try:
            whole = replace(geometry, crop=WHOLE, first_stage=None)
            with guard_plugin(f"the conditioner '{name}'"):
                return self._conditioners[name].prepare(values, whole)
        except InvalidInputError as error:
            public = self._public(name)
            raise InvalidInputError(f"input '{public}': {error}", field=public) from None


def _fill(
    name: str, values: Sequence[BaseModel | None] | None, count: int
) -> tuple[list[BaseModel], Tensor]:
    """Return an input for each of `count` rows, and which rows have one, bool (B,).

    A row without an input takes the first that there is. Without any the list is empty.
    """
    repeated = [] if values is None else repeat_rows(name, values, count)
    given = [each for each in repeated if each is not None]
    filled = [given[0] if each is None else each for each in repeated] if given else []
    return filled, torch.tensor([each is not None for each in repeated])


def _crop_region(stream: Stream, geometry: PictureGeometry, window: Window) -> Stream:
    """Return a stream with the window's part of its region, which may be of any resolution."""
    if stream.region is None:
        return stream
    region = adaptive_avg_pool2d(stream.region, geometry.latent_size)
    return replace(stream, region=window.of(region))
