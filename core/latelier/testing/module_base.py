"""How the kit builds a module and runs it on the data of a test."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from latelier.testing.component import ComponentContract
from latelier.testing.support.randomness import randomize_zeros, seeded


class ModuleBase(ComponentContract):
    """Base of the checks of components that are built from a configuration.

    Every check builds the component again with the same seed, so that one fault shows in one check.
    Weights that start at zero get other values, as training would give them.
    """

    config: ClassVar[dict[str, Any]] = {}
    separately_trained: ClassVar[tuple[str, ...]] = ()

    def equip(self, component: Any, /) -> None:
        """Give a new component what it needs besides its config, such as a vocabulary."""

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return the inputs of the component for these rows of the test's data, on the CPU."""
        raise NotImplementedError

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the outputs of the component, by name."""
        raise NotImplementedError

    def compute_all(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the outputs, and those that need no inputs, such as a null condition."""
        return self.compute(component, inputs)

    def cast_inputs(self, inputs: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return inputs as a host passes them to a component of that precision."""
        return {
            name: tensor.to(dtype) if tensor.is_floating_point() else tensor
            for name, tensor in inputs.items()
        }

    @property
    def rows(self) -> list[int]:
        """All rows of the test's data."""
        return [0, 1]

    def build(self) -> Any:
        """Return a new component, with the same random weights each time."""
        with seeded():
            component = self.registry.build(self.component, self.config)
            if isinstance(component, nn.Module):
                randomize_zeros(component)
                component.eval()
            self.equip(component)
        return component

    def run(self, component: Any, rows: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Return the outputs for rows of the test's data; for all rows by default."""
        rows = self.rows if rows is None else rows
        with torch.no_grad(), seeded():
            return self.compute(component, self.make_inputs(component, rows))
