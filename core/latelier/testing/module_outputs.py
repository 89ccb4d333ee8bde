"""Checks of what a module computes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latelier.nn.stored_weights import copy_sharing_weights
from latelier.testing.module_base import ModuleBase
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.placement import META, weights_dtype
from latelier.testing.support.randomness import GlobalState, seeded

ROUNDS = 4
"""Attempts to provoke a race between two threads."""

_READS_NUMBERS = "Tensor.item() cannot be called on meta tensors"


class OutputChecks(ModuleBase):
    """Outputs are finite, reproducible, differentiable, and of the weights' device and dtype."""

    def test_outputs_are_finite(self) -> None:
        """NaN and infinity spread, even from where a mask hides them."""
        component = self.build()
        with torch.no_grad(), seeded():
            outputs = self.compute_all(component, self.make_inputs(component, self.rows))
        bad = [name for name, tensor in outputs.items() if not tensor.isfinite().all()]
        assert not bad, f"{', '.join(bad)} has numbers that are not finite"

    def test_it_is_deterministic(self) -> None:
        """The same weights and the same input give the same bits: pictures are reproducible."""
        inputs = self.make_inputs(self.build(), self.rows)
        runs = []
        for _ in range(2):
            component = self.build()
            with torch.no_grad(), seeded():
                runs.append(self.compute_all(component, inputs))
        for name, first in runs[0].items():
            assert has_same_bits(first, runs[1][name]), (
                f"{name} differs between two runs on one input: it draws random numbers, or "
                "depends on time or on the order of a set"
            )

    def test_it_keeps_no_state_between_calls(self) -> None:
        """One component serves many requests: a call with other rows changes no later output."""
        component = self.build()
        first = self.run(component)
        self.run(component, self.rows[1:])
        again = self.run(component)
        for name, value in first.items():
            assert is_close(again[name], value), (
                f"{name} changes after a call with other rows: keep nothing on self between "
                "calls, and change no tensor in place"
            )

    def test_threads_can_share_it(self) -> None:
        """Two threads use one component at once, and each gets what it gets alone."""
        halves = [self.rows, self.rows[1:]]
        with torch.no_grad():
            alone = [self._compute_in_thread(self.build(), rows) for rows in halves]
            for _ in range(ROUNDS):
                component, start = self.build(), Barrier(2)
                with ThreadPoolExecutor(2) as pool:
                    tasks = [
                        pool.submit(self._compute_in_thread, component, rows, start)
                        for rows in halves
                    ]
                for task, expected in zip(tasks, alone, strict=True):
                    _check_thread(task.result(), expected)

    def test_it_leaves_the_global_random_state_alone(self) -> None:
        """It neither draws from the global random numbers nor seeds them."""
        runs = []
        for seed in (1, 2):
            component = self.build()
            with torch.no_grad(), seeded(seed):
                state = GlobalState()
                inputs = self.make_inputs(component, self.rows)
                runs.append(self.compute_all(component, inputs))
                changed = state.changed()
            assert not changed, (
                f"the global random state of {', '.join(changed)} changes: draw from an explicit "
                "torch.Generator or numpy Generator"
            )
        for name, value in runs[0].items():
            assert is_close(value, runs[1][name]), f"{name} depends on the global random state"

    def test_it_is_differentiable(self) -> None:
        """Gradients reach all weights that are trained."""
        component = self.build()
        weights = trainable_weights(component)
        if not weights:
            return
        with torch.enable_grad(), seeded():
            outputs = self.compute_all(component, self.make_inputs(component, self.rows))
        total = torch.stack([_sum_of_squares(each) for each in outputs.values()]).sum()
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
        missing = [name for name, each in weights.items() if each.grad is None]
        missing = [name for name in missing if name not in self.separately_trained]
        assert not missing, (
            f"no gradient reaches {', '.join(missing)}: no `no_grad` or `detach` in forward; "
            "frozen weights have requires_grad=False"
        )
        bad = [name for name, each in weights.items() if not _is_finite(each.grad)]
        assert not bad, f"the gradient of {', '.join(bad)} is not finite"

    def test_outputs_are_on_the_device_of_the_weights(self) -> None:
        """After the module is moved to another device, its outputs are there."""
        component = self.build()
        self.check_device(component, self.make_inputs(component, self.rows))

    def check_device(self, component: Any, inputs: Mapping[str, Tensor]) -> None:
        """Check the device of a component's outputs, on the device without numbers."""
        if isinstance(component, nn.Module):
            component.to(META)
        inputs = {name: tensor.to(META) for name, tensor in inputs.items()}
        try:
            with torch.no_grad():
                outputs = self.compute_all(component, inputs)
        except (RuntimeError, NotImplementedError) as error:
            if _READS_NUMBERS in str(error):
                pytest.skip("it branches on numbers, which the device 'meta' does not have")
            pytest.fail(
                "on the device 'meta' it fails: make new tensors with device=weight.device "
                f"({type(error).__name__}: {error})"
            )
        elsewhere = [name for name, tensor in outputs.items() if tensor.device != META]
        assert not elsewhere, (
            f"{', '.join(elsewhere)} is not on the device of the weights: create it with "
            "device=weight.device, or keep it in a buffer"
        )

    def test_outputs_have_the_precision_of_the_weights(self) -> None:
        """With weights in bfloat16 all outputs are bfloat16, also those that need no input.

        So they are where layers of latelier.nn have weights that are stored in float16.
        """
        if weights_dtype(self.build()) is None:
            return
        stored_in_float16 = copy_sharing_weights(self.build().half(), torch.bfloat16)
        for component in (self.build().bfloat16(), stored_in_float16):
            inputs = self.make_inputs(component, self.rows)
            with torch.no_grad(), seeded():
                outputs = self.compute_all(component, self.cast_inputs(inputs, torch.bfloat16))
            wrong = {
                name: str(tensor.dtype)
                for name, tensor in outputs.items()
                if tensor.is_floating_point() and tensor.dtype != torch.bfloat16
            }
            assert not wrong, (
                f"with weights in bfloat16 these are not: {wrong}; cast the inputs to "
                "weight.dtype, and create new tensors with dtype=weight.dtype (with layers of "
                "latelier.nn: latelier.nn.stored_weights.find_compute_dtype(self))"
            )

    def _compute_in_thread(
        self, component: Any, rows: Sequence[int], start: Barrier | None = None
    ) -> dict[str, Tensor]:
        """Return the outputs for rows, computed once all threads are ready."""
        if start is not None:
            start.wait(timeout=60)
        with torch.no_grad():
            return self.compute(component, self.make_inputs(component, rows))


def trainable_weights(component: Any) -> dict[str, nn.Parameter]:
    """Return the weights that require gradients, by name."""
    weights = component.named_parameters() if isinstance(component, nn.Module) else ()
    return {name: each for name, each in weights if each.requires_grad}


def _check_thread(outputs: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    for name, value in outputs.items():
        assert is_close(value, expected[name]), (
            f"{name} is wrong where two threads use one component: pass values as arguments, and "
            "keep none on self or in the module"
        )


def _sum_of_squares(output: Tensor) -> Tensor:
    """Return a scalar; 0 for masks, which have no gradient."""
    return output.square().sum() if output.is_floating_point() else torch.zeros(())


def _is_finite(tensor: Tensor | None) -> bool:
    return tensor is None or bool(tensor.isfinite().all())
