"""Checks of `prepare` and `augment`, which data workers call."""

import numpy as np
import pytest
from torch import Tensor

from latelier.testing.conditioner_checks.base import ConditionerBase
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.placement import META
from latelier.testing.support.randomness import GlobalState


class PrepareChecks(ConditionerBase):
    """`prepare` is CPU work without weights or randomness; `augment` has all the randomness."""

    def test_prepare_gives_cpu_tensors(self) -> None:
        """A data worker calls it, far from the device."""
        batch = self.prepare(self.build(), self.rows)
        assert batch, "prepare returns no tensor"
        for name, tensor in batch.items():
            assert isinstance(tensor, Tensor), f"prepare returns {name}, which is not a tensor"
            assert tensor.device.type == "cpu", f"prepare returns {name} on {tensor.device}"

    def test_prepare_has_the_batch_first(self) -> None:
        """Rows are selected and joined along the first axis."""
        component = self.build()
        for rows in (self.rows, self.rows[:1], self.rows[:2]):
            for name, tensor in self.make_inputs(component, rows).items():
                assert tensor.shape[:1] == (len(rows),), (
                    f"prepare returns {name} of shape {tuple(tensor.shape)} for {len(rows)} "
                    "inputs: the first axis is the batch"
                )

    def test_prepare_draws_no_random_numbers(self) -> None:
        """Its result is cached. Randomness belongs in `augment`, which is given a generator."""
        first, second = (self.make_inputs(self.build(), self.rows) for _ in range(2))
        for name, tensor in first.items():
            assert has_same_bits(tensor, second[name]), (
                f"a second call of prepare returns another {name}: draw in augment(input, rng)"
            )

    def test_prepare_touches_no_weights(self) -> None:
        """A data worker has no weights. The check puts them on a device without numbers."""
        component = self.build()
        expected = self.make_inputs(component, self.rows)
        try:
            batch = self.make_inputs(component.to(META), self.rows)
        except (RuntimeError, NotImplementedError) as error:
            pytest.fail(f"prepare uses weights, which belongs in forward ({error})")
        for name, tensor in expected.items():
            assert is_close(batch[name], tensor), f"prepare computes {name} from weights"

    def test_augment_draws_from_the_generator_it_is_given(self) -> None:
        """Equal generators give equal inputs, so that training can be resumed and repeated."""
        component = self.build()
        for value in map(self.read, self.inputs):
            state = GlobalState()
            drawn = [component.augment(value, np.random.default_rng(3)) for _ in range(2)]
            assert isinstance(drawn[0], type(value)), f"augment returns a {type(drawn[0])}"
            assert drawn[0] == drawn[1], "augment differs for equal generators: draw from `rng`"
            assert not state.changed(), f"augment changes {state.changed()}: draw from `rng`"
