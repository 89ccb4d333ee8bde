import functools

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.diffusion.guidance.cfg import cfg
from latelier.diffusion.guidance.per_condition import per_condition


@pytest.fixture
def x0(toy):
    """By which of the two parts are condition: text 0.7, else 0.1; label -0.4, else 0.2."""
    return {
        (text, label): toy.x0(0.7 if text else 0.1, -0.4 if label else 0.2)
        for text in (False, True)
        for label in (False, True)
    }


def test_joint_scales_add_up(toy, condition, null, grid, x0):
    scales = {"text": 5.0, "label": 2.0}
    estimate = per_condition(toy, condition, null, grid, scales=scales)(toy.x, 2.0)
    whole = x0[True, True]
    expected = whole + 4 * (whole - x0[False, True]) + (whole - x0[True, False])
    torch.testing.assert_close(estimate, expected)
    assert toy.rows == [3]


@pytest.mark.parametrize("first", ["text", "label"])
def test_nested_scales_follow_the_order_of_names(toy, condition, null, grid, x0, first):
    second = "label" if first == "text" else "text"
    scales = {first: 5.0, second: 2.0}
    denoise = per_condition(toy, condition, null, grid, scales=scales, form="nested")
    with_first = x0[first == "text", first == "label"]
    expected = x0[False, False] + 5 * (with_first - x0[False, False])
    expected = expected + 2 * (x0[True, True] - with_first)
    torch.testing.assert_close(denoise(toy.x, 2.0), expected)
    assert toy.rows == [3]


@pytest.mark.parametrize("form", ["joint", "nested"])
def test_scales_of_1_are_the_conditional_estimate(toy, condition, null, grid, x0, form):
    scales = {"text": 1.0, "label": 1.0}
    estimate = per_condition(toy, condition, null, grid, scales=scales, form=form)(toy.x, 2.0)
    assert torch.equal(estimate, x0[True, True])
    assert toy.rows == [1]


@pytest.mark.parametrize("form", ["joint", "nested"])
def test_single_scale_equals_cfg(toy, condition, null, grid, form):
    denoise = per_condition(toy, condition, null, grid, scales={"text": 5.0}, form=form)
    other = toy.condition(0.1, -0.4)
    expected = cfg(toy, condition, other, grid, scale=5.0)(toy.x, 2.0)
    torch.testing.assert_close(denoise(toy.x, 2.0), expected)
    assert toy.rows == [2, 2]


@pytest.mark.parametrize(
    ("form", "scales", "rows"),
    [
        ("joint", {"text": 3.0, "label": 1.0}, 2),
        ("nested", {"text": 3.0, "label": 3.0}, 2),
        ("nested", {"text": 1.0, "label": 3.0}, 2),
    ],
)
def test_unneeded_estimates_are_skipped(toy, condition, null, grid, form, scales, rows):
    per_condition(toy, condition, null, grid, scales=scales, form=form)(toy.x, 2.0)
    assert toy.rows == [rows]


def test_a_scale_of_0_drops_a_condition(toy, condition, null, grid, x0):
    scales = {"text": 0.0, "label": 1.0}
    estimate = per_condition(toy, condition, null, grid, scales=scales)(toy.x, 2.0)
    torch.testing.assert_close(estimate, x0[False, True])


def test_rescale_uses_the_estimate_under_the_full_condition(
    toy, condition, null, grid, x0, check_rows
):
    make = functools.partial(
        per_condition, toy, condition, null, grid, scales={"text": 5.0, "label": 2.0}
    )
    plain, rescaled = (make(rescale=share)(toy.x, 2.0) for share in (0.0, 1.0))
    deviations = x0[True, True].std((1, 2, 3))
    torch.testing.assert_close(rescaled.std((1, 2, 3)), deviations)
    assert (plain.std((1, 2, 3)) > 1.5 * deviations).all()
    check_rows(functools.partial(make, rescale=0.7), toy.x)


def test_an_unknown_conditioner_is_an_error(toy, condition, null, grid):
    with pytest.raises(InvalidInputError, match=r"no conditioner 'txt'.*mean 'text'.*label, text"):
        per_condition(toy, condition, null, grid, scales={"txt": 2.0})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "'scales' is required"),
        ({"scales": {}}, "'scales'"),
        ({"scales": {"text": -1}}, "scales.text"),
        ({"scales": {"text": 2}, "form": "other"}, "'form'.*'joint' or 'nested'"),
    ],
)
def test_invalid_options_are_refused(options, said):
    with pytest.raises(InvalidInputError, match=said):
        read_options(per_condition, options, "guidance 'per_condition'")
