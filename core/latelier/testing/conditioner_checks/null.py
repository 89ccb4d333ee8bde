"""Checks of the null part."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, ConditionPart, concat, where
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import cfg
from latelier.testing.conditioner_checks.base import ConditionerBase
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.reading import attend_part, part_tensors


class NullChecks(ConditionerBase):
    """The null part has the slots of a part, and depends on weights alone."""

    def test_null_can_stand_where_the_part_stood(self) -> None:
        """Slots and widths agree: training swaps rows, and guidance stacks both parts."""
        part, null = self.part(), self.null()
        slots = sorted(part.tensors()), sorted(null.tensors())
        assert slots[0] == slots[1], f"the part fills {slots[0]}, its null {slots[1]}"
        for name, tensor in null.tensors().items():
            widths = _widths(name, part.tensors()[name]), _widths(name, tensor)
            assert widths[0] == widths[1], f"the {name} is {widths[0]}, that of null {widths[1]}"
        keep = torch.tensor([row % 2 == 0 for row in self.rows])
        assert where(keep, part, null).batch == len(keep)
        both = concat([Condition.of({"it": each}) for each in (part, null)])
        assert both.batch == 2 * len(keep)

    def test_null_does_not_depend_on_inputs(self) -> None:
        """Earlier calls with inputs do not change it."""
        expected = part_tensors(self.null())
        for row in self.rows:
            component = self.build()
            self.part([row], component)
            for name, tensor in part_tensors(self.null(component=component)).items():
                assert is_close(tensor, expected[name]), (
                    f"the {name} of null differs after an input: compute it from weights alone"
                )

    def test_null_is_the_same_for_every_row(self) -> None:
        """It has as many rows as requested, all alike."""
        one = self.null(1).tensors()
        for name, tensor in self.null(3).tensors().items():
            assert len(tensor) == 3, f"null(3) has a {name} of {len(tensor)} rows"
            assert is_close(tensor, one[name].expand_as(tensor)), f"rows of null's {name} differ"

    def test_guidance_1_is_the_condition_alone(self) -> None:
        """Guidance of scale 1 gives the bits of the condition, although null is computed too."""
        component, x = self.build(), torch.zeros(len(self.rows), 1)
        predict, sigmas = _SumPredict(), SigmaGrid((1.0, 0.0), "ve")
        condition = Condition.of({"it": self.part(component=component)})
        expected = predict(x, 1.0, [condition])[0]
        null = Condition.of({"it": self.null(component=component)})
        guided = cfg(predict, condition, null, sigmas, scale=1.0)(x, 1.0)
        assert has_same_bits(guided, expected), (
            "a part changes when null is computed: return new tensors from each call"
        )


class _SumPredict:
    """A `Predict` whose estimate is x plus a sum over the condition's part."""

    config = DenoiserConfig()

    def __call__(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> list[Tensor]:
        del sigma, control
        return [x + self._sum(condition)[:, None] for condition in conditions]

    def decode(self, latents: Tensor, /) -> Tensor:
        return latents

    def condition_for(self, value: Any, /) -> Condition:
        del value
        return Condition()

    @staticmethod
    def _sum(condition: Condition) -> Tensor:
        part = ConditionPart(
            condition.streams.get("it"), condition.spatial.get("it"), condition.vectors.get("it")
        )
        return torch.stack([each.flatten(1).sum(1) for each in attend_part(part).values()]).sum(0)


def _widths(slot: str, tensor: Tensor) -> tuple[int, ...]:
    """Return the sizes of a slot that are the same for every input."""
    return tuple(tensor.shape[2:] if slot == "stream" else tensor.shape[1:])
