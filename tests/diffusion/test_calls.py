"""Calls are joined and divided without a change to any row."""

from dataclasses import dataclass

import pytest
import torch

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.diffusion.calls import DenoiserCall, join_calls, select_rows

MODULE = object()


@dataclass(frozen=True)
class Branch:
    """A wrapper that knows its rows."""

    rows: tuple[int, ...]
    depth: int = 1

    def select(self, rows):
        return Branch(tuple(self.rows[row] for row in rows))


def call(rows, first=0.0, control=None):
    """A call whose every row has a number of its own, counted from `first`."""
    numbers = torch.arange(rows) + float(first)
    tokens = numbers.view(-1, 1, 1).expand(rows, 3, 2)
    return DenoiserCall(
        numbers.view(-1, 1, 1, 1).expand(rows, 1, 2, 2),
        numbers,
        Condition({"text": Stream(tokens)}, {}, {"label": numbers[:, None]}),
        control,
    )


def rows_of(call):
    numbers = call.t.tolist()
    assert call.x[:, 0, 0, 0].tolist() == numbers
    assert call.condition.streams["text"].tokens[:, 0, 0].tolist() == numbers
    assert call.condition.vectors["label"][:, 0].tolist() == numbers
    return numbers


def control(rows, scale=1.0):
    residuals = {"block": torch.arange(rows).view(-1, 1, 1, 1).float()}
    return Control(residuals, frozenset({"a"}), adapters={"palette": ScaledAdapter(MODULE, scale)})


def test_a_joined_call_has_the_rows_of_all_in_order():
    joined = join_calls([call(2), call(1, first=5), call(3, first=7)])
    assert rows_of(joined) == [0, 1, 5, 7, 8, 9]
    assert joined.rows == 6
    assert joined.control is None


def test_one_call_is_not_copied():
    one = call(2)
    assert join_calls([one]) is one


def test_residuals_are_joined_and_equal_scales_stay_a_number():
    joined = join_calls([call(2, control=control(2)), call(1, control=control(1))]).control
    assert joined.residuals["block"].flatten().tolist() == [0, 1, 0]
    assert joined.perturbed_attention == {"a"}
    assert joined.adapters["palette"].scale == 1.0


def test_different_scales_become_one_for_each_row():
    scales = [0.5, torch.tensor([1.0, 2.0]), 3]
    calls = [call(2, control=control(2, scale)) for scale in scales]
    use = join_calls(calls).control.adapters["palette"]
    assert use.scale.tolist() == [0.5, 0.5, 1, 2, 3, 3]
    assert use.module is MODULE


@pytest.mark.parametrize("rows", [[0], [2, 0], [1, 1, 2, 2]])
def test_rows_are_selected_everywhere(rows):
    scale = torch.tensor([1.0, 2.0, 3.0])
    selected = select_rows(call(3, control=control(3, scale)), torch.tensor(rows))
    assert rows_of(selected) == rows
    assert selected.control.residuals["block"].flatten().tolist() == rows
    assert selected.control.adapters["palette"].scale.tolist() == [row + 1 for row in rows]


def test_a_call_is_run_with_its_arguments():
    one = call(2, control=control(2))
    assert one.run(lambda *arguments: arguments) == (one.x, one.t, one.condition, one.control)


def test_the_branch_of_selected_rows_is_that_of_these():
    whole = call(3, control=Control(deep_branch=Branch((4, 5, 6))))
    part = select_rows(whole, torch.tensor([2, 0, 0]))
    assert part.control.deep_branch == Branch((6, 4, 4))


def test_joined_calls_keep_the_wrapper_of_self_attentions():
    control = Control(self_attention=len)
    joined = join_calls([call(1, control=control), call(2, control=control)])
    assert joined.control.self_attention is len
