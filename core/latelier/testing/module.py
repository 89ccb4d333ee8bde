"""What conditioners, first stages and denoisers have in common: a config, weights, no state."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from latelier.checkpoints.component import Component, load_component, save_component
from latelier.contracts.errors import LatelierError
from latelier.testing.module_config import ConfigChecks
from latelier.testing.module_outputs import OutputChecks
from latelier.testing.side_effects import SideEffectChecks, isolate_home
from latelier.testing.support.audit import Activity, watch
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.randomness import seeded


class ModuleContract(ConfigChecks, OutputChecks, SideEffectChecks):
    """Base of the contracts of components that are built from a configuration.

    Attributes:
        config: the fields to build it with; small, so that the tests are fast.
        separately_trained: names of weights that a loss of their own trains, such as a codebook.
    """

    def test_its_weights_survive_a_file(self, tmp_path: Path) -> None:
        """Stored as safetensors with its assets and restored, it computes the same."""
        component = _freeze(self.build())
        expected = self.run(component)
        spec = self.spec
        try:
            save_component(tmp_path, Component(self.kind, spec.id, spec.version, component))
            restored = load_component(tmp_path, self.kind, self.atelier()).module
            outputs = self.run(restored)
        except (LatelierError, RuntimeError, ValueError) as error:
            pytest.fail(
                f"it cannot be restored from its file: {type(error).__name__}: {error}. Tensors "
                "belong in parameters and buffers, other files in assets() and set_assets()"
            )
        again = self.run(_freeze(self.build()))
        for name, value in expected.items():
            is_equal = has_same_bits if has_same_bits(again[name], value) else is_close
            assert is_equal(outputs[name], value), (
                f"{name} changes in storage: keep tensors in parameters and buffers, other learnt "
                "values in assets(), and all choices in the config"
            )

    @pytest.fixture
    def activity(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Activity:
        """What it does to the machine while it is built and used."""
        temporary = isolate_home(tmp_path, monkeypatch)
        with watch(temporary) as activity, torch.no_grad():
            component = self.build()
            self.compute_all(component, self.make_inputs(component, self.rows))
        return activity

    def test_report_its_cost(self, record_property: Callable[[str, object], None]) -> None:
        """Report parameters, milliseconds a call and bytes; it never fails."""
        component = self.build()
        inputs = self.make_inputs(component, self.rows)
        with torch.no_grad(), seeded():
            outputs = self.compute(component, inputs)
            start = time.perf_counter()
            self.compute(component, inputs)
        milliseconds = 1000 * (time.perf_counter() - start)
        weights = component.parameters() if isinstance(component, nn.Module) else ()
        record_property("latelier_component", self.spec.id)
        record_property("latelier_parameters", sum(each.numel() for each in weights))
        record_property("latelier_milliseconds", round(milliseconds, 2))
        record_property("latelier_bytes", sum(each.nbytes for each in outputs.values()))


def _freeze(component: Any) -> Any:
    """Return a component with weights that take no gradients, as restored ones take none.

    torch multiplies by weights that take gradients in another order, also without a graph.
    """
    if isinstance(component, nn.Module):
        component.requires_grad_(False)
    return component
