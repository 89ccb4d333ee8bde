"""Which calls share a group: those that can be joined, and in exact engines those of one form."""

from dataclasses import replace

import pytest
import torch

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.diffusion.accelerations.deep_cache import CachedBranch, Features
from latelier.diffusion.accelerations.token_merging import TokenMerging
from latelier.diffusion.calls import DenoiserCall, join_calls
from latelier.engine.sharing import sharing_key

MODULE, OTHER_MODULE = object(), object()


def stream(n=3, **fields):
    return Stream(torch.zeros(1, n, 4), **fields)


def make(shape=(1, 4, 8, 8), condition=None, control=None, dtype=torch.float32):
    if condition is None:
        condition = Condition({"text": stream()})
    return DenoiserCall(torch.zeros(shape, dtype=dtype), torch.zeros(1), condition, control)


def residual(c=2):
    return Control({"block": torch.zeros(1, c, 4, 4)})


def adapter(module=MODULE, scale=1.0):
    return Control(adapters={"palette": ScaledAdapter(module, scale)})


def shares(one, other, *, pads_streams=True):
    return sharing_key(one, pads_streams=pads_streams) == sharing_key(
        other, pads_streams=pads_streams
    )


PADDED = [
    Condition({"text": stream(5)}),
    Condition({"text": stream(mask=torch.ones(1, 3, dtype=torch.bool))}),
    Condition({"text": stream(scale=0.5)}),
    Condition({"text": stream(), "layout": stream()}),
    Condition({"text": stream()}, {}, {"label": torch.zeros(1, 3)}),
]
ALWAYS_APART = [
    make((1, 4, 8, 16)),
    make(dtype=torch.float64),
    make(condition=Condition()),
    make(condition=Condition({"text": stream()}, {"mask": torch.zeros(1, 1, 8, 8)})),
    make(condition=Condition({"text": stream(region=torch.ones(1, 1, 8, 8))})),
    make(control=residual()),
    make(control=residual(3)),
    make(control=adapter()),
    make(control=adapter(OTHER_MODULE)),
    make(control=adapter(scale=2.0)),
    make(control=adapter(scale=torch.ones(1))),
    make(control=Control(perturbed_attention=frozenset({"a"}))),
    make(control=Control(gradient_checkpointing=True)),
    make(control=Control(self_attention=TokenMerging(0.5, 64))),
    make(control=Control()),
]


@pytest.mark.parametrize("condition", PADDED)
def test_streams_and_vectors_are_padded_only_where_they_may_be(condition):
    one, other = make(), make(condition=condition)
    assert shares(one, other)
    assert join_calls([one, other]).rows == 2
    assert not shares(one, other, pads_streams=False)


@pytest.mark.parametrize("pads_streams", [True, False])
def test_calls_of_different_kinds_stay_apart(pads_streams):
    calls = [make(), *ALWAYS_APART]
    keys = {sharing_key(call, pads_streams=pads_streams) for call in calls}
    assert len(keys) == len(calls)


@pytest.mark.parametrize("call", [make(), *ALWAYS_APART])
@pytest.mark.parametrize("pads_streams", [True, False])
def test_calls_of_one_kind_are_joined(call, pads_streams):
    same = replace(call, x=call.x + 1)
    assert shares(call, same, pads_streams=pads_streams)
    assert join_calls([call, same]).rows == 2


def test_a_deep_branch_is_of_one_call_alone():
    call = make(control=Control(deep_branch=CachedBranch(1, Features(1))))
    assert not shares(call, call)
    assert not shares(call, make(control=Control()))


def test_any_number_of_rows_can_be_joined():
    larger = join_calls([make(), make()])
    assert shares(make(), larger, pads_streams=False)
