"""What adapters add to the calls of a denoiser, and at which sigmas."""

from types import SimpleNamespace

import pytest
import torch

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.diffusion.adapters import AdapterCalls, AdapterUse

X, T = torch.zeros(3, 2, 4, 4), torch.zeros(3)
SIGMAS = torch.tensor([0.2, 0.5, 0.8])
MIDDLE = (0.2, 0.5)


def residual_adapter(value=1.0):
    """Return an adapter that adds a number to the block 'mid'."""
    residuals = {"mid": torch.full((3, 2, 4, 4), value)}
    return SimpleNamespace(config=None, residuals=lambda *_: residuals)


def condition():
    spatial = {name: torch.ones(3, 1, 4, 4) for name in ("edges", "mask")}
    return Condition({"text": Stream(torch.ones(3, 2, 4))}, spatial)


def added(uses, sigma, control=None):
    """Return what is added to the block 'mid' in each row."""
    _, found = AdapterCalls(uses).add_residuals(X, T, sigma, condition(), control)
    return found.residuals["mid"][:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("sigma", "scale"), [(0.1, 0), (0.2, 0), (0.3, 0.7), (0.5, 0.7), (0.6, 0), (9.0, 0)]
)
def test_a_use_acts_above_its_lower_sigma_and_up_to_its_higher(sigma, scale):
    use = AdapterUse("a module", 0.7, MIDDLE)
    assert use.scale_at(sigma) == use.scale_at(torch.tensor(sigma)) == scale
    assert AdapterUse("a module", 0.7).scale_at(sigma) == 0.7


def test_rows_of_other_sigmas_have_scales_of_their_own():
    uses = {"edges": AdapterUse(residual_adapter(), 0.5, MIDDLE)}
    assert added(uses, SIGMAS) == [0, 0.5, 0]
    uses = {"palette": AdapterUse("a module", 0.5, MIDDLE)}
    control = AdapterCalls(uses).attend(SIGMAS, None)
    assert control.adapters["palette"].scale.tolist() == [0, 0.5, 0]
    assert AdapterCalls(uses).attend(0.8, None).adapters["palette"].scale == 0


def test_residuals_are_added_to_those_of_the_call_and_of_other_adapters():
    uses = {"edges": AdapterUse(residual_adapter(2.0)), "mask": AdapterUse(residual_adapter(), 0.5)}
    control = Control(residuals={"mid": torch.full((3, 2, 4, 4), 10.0)})
    assert added(uses, 0.4, control) == [12.5] * 3
    assert (control.residuals["mid"] == 10).all()


def test_an_adapter_without_its_hint_or_its_sigma_is_not_called():
    module = SimpleNamespace(config=None, residuals=lambda *_: pytest.fail("it was called"))
    uses = {"other": AdapterUse(module), "edges": AdapterUse(module, 1.0, MIDDLE)}
    _, control = AdapterCalls(uses).add_residuals(X, T, 0.9, condition(), None)
    assert control.residuals == {}


def test_the_denoiser_gets_one_condition_without_hints_at_every_step():
    calls, whole = AdapterCalls({"edges": AdapterUse(residual_adapter())}), condition()
    own, again = (calls.add_residuals(X, T, sigma, whole, None)[0] for sigma in (0.8, 0.4))
    assert own is again
    assert own.spatial.keys() == {"mask"}
    assert own.streams == whole.streams


def test_the_adapters_of_a_call_come_before_those_of_the_run():
    own = ScaledAdapter("a module of the call", 0.1)
    uses = {name: AdapterUse(f"the {name}") for name in ("palette", "sketch")}
    adapters = AdapterCalls(uses).attend(0.5, Control(adapters={"palette": own})).adapters
    assert adapters["palette"] is own
    assert vars(adapters["sketch"]) == {"module": "the sketch", "scale": 1.0}


def test_without_adapters_a_call_stays_as_it_is():
    calls, control, whole = AdapterCalls({}), Control(), condition()
    assert calls.attend(0.5, control) is control
    assert calls.add_residuals(X, T, 0.5, whole, control) == (whole, control)
