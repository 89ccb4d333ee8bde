"""Pairs of pictures."""

from dataclasses import replace

import pytest


@pytest.mark.parametrize("count", [4, 5, 40])
def test_each_side_is_on_the_left_of_half_of_the_pairs(comparison, count):
    many = replace(comparison, prompts=["a cat"] * count, seeds=range(count))
    assert sum(many.left) == count // 2


def test_the_order_is_that_of_its_seed(comparison):
    many = replace(comparison, prompts=["a cat"] * 40, seeds=range(40))
    assert many.left == replace(many).left
    assert many.left != replace(many, order_seed=1).left


def test_the_id_is_of_everything_that_votes_depend_on(comparison):
    red, blue = comparison.sides
    changed = [
        replace(comparison, question="Which is sharper?"),
        replace(comparison, prompts=["a dog", *comparison.prompts[1:]]),
        replace(comparison, seeds=range(4)),
        replace(comparison, order_seed=3),
        replace(comparison, sides=(red, replace(blue, name="another model"))),
        replace(comparison, sides=(red, replace(blue, pictures=red.pictures))),
    ]
    assert len({each.id for each in (comparison, *changed)}) == 7
    assert replace(comparison).id == comparison.id
