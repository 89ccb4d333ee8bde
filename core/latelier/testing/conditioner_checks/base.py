"""How the kit prepares inputs and computes parts with the conditioner of a test."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.inputs import read_input
from latelier.nn.stored_weights import find_compute_dtype
from latelier.testing.module import ModuleContract
from latelier.testing.support.placement import weights_dtype
from latelier.testing.support.randomness import seeded
from latelier.testing.support.reading import part_tensors


class ConditionerBase(ModuleContract):
    """Base of the checks of conditioners; see `ConditionerContract` for the attributes."""

    kind = "conditioner"
    required = ("component", "inputs")
    inputs: ClassVar[Sequence[Any]]
    bad_inputs: ClassVar[Sequence[Any]] = ()
    geometry: ClassVar[PictureGeometry] = PictureGeometry((64, 64), (16, 16))
    reach: ClassVar[int] = 1

    @property
    def rows(self) -> list[int]:
        assert len(self.inputs) >= 2, "give `inputs` at least two values that differ"
        return list(range(len(self.inputs)))

    def read(self, value: Any) -> Any:
        """Return a value as an `Input`."""
        return read_input(self.registry.input_class(self.component), value, self.component)

    def prepare(self, component: Any, rows: Sequence[int]) -> dict[str, Any]:
        """Return the prepared batch for these inputs of the test."""
        values = [self.read(self.inputs[row]) for row in rows]
        return dict(component.prepare(values, replace(self.geometry, first_stage=None)))

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        batch = self.prepare(component, rows)
        return {name: each for name, each in batch.items() if isinstance(each, Tensor)}

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        return part_tensors(component(inputs, self._move_geometry(component, inputs)))

    def compute_all(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        null = component.null(len(self.rows), self._move_geometry(component, inputs))
        return {**part_tensors(null, "null."), **self.compute(component, inputs)}

    def cast_inputs(self, inputs: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return the batch unchanged: prepared tensors stay float32, and `forward` casts them."""
        del dtype
        return dict(inputs)

    def part(self, rows: Sequence[int] | None = None, component: Any = None) -> ConditionPart:
        """Return the part for these inputs of the test, by default for all of them.

        Without a `component` a new one computes it.
        """
        component = self.build() if component is None else component
        rows = self.rows if rows is None else rows
        with torch.no_grad(), seeded():
            part: ConditionPart = component(self.make_inputs(component, rows), self.geometry)
        return part

    def part_of(self, values: Sequence[Any]) -> ConditionPart:
        """Return the part that a new component gives for values of `Input`."""
        component = self.build()
        prepared_for = replace(self.geometry, first_stage=None)
        with torch.no_grad(), seeded():
            part: ConditionPart = component(component.prepare(values, prepared_for), self.geometry)
        return part

    def null(self, count: int | None = None, component: Any = None) -> ConditionPart:
        """Return the null part for `count` rows, by default one for each input of the test."""
        component = self.build() if component is None else component
        rows = len(self.rows) if count is None else count
        with torch.no_grad(), seeded():
            part: ConditionPart = component.null(rows, self.geometry)
        return part

    def _move_geometry(self, component: Any, batch: Mapping[str, Tensor]) -> PictureGeometry:
        """Return the geometry, its first stage on the component's device and in its precision."""
        stage = self.geometry.first_stage
        if not isinstance(stage, nn.Module):
            return self.geometry
        device = next((each.device for each in batch.values()), torch.device("cpu"))
        dtype = None if weights_dtype(component) is None else find_compute_dtype(component)
        return replace(self.geometry, first_stage=deepcopy(stage).to(device=device, dtype=dtype))
