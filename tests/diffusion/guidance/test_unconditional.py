import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.guidance.unconditional import (
    drop_conditions,
    find_droppable_conditions,
    make_unconditional,
)

SPATIAL = Condition({}, {"image": torch.ones(3, 1, 2, 2)}, {})


def test_conditions_with_a_null_part_are_found(condition, null):
    assert find_droppable_conditions(condition, null) == {"text", "label"}
    assert (
        find_droppable_conditions(SPATIAL, Condition({}, {"image": torch.ones(3, 1, 2, 2)}, {}))
        == set()
    )
    assert find_droppable_conditions(
        SPATIAL, Condition({}, {"image": torch.zeros(3, 1, 2, 2)}, {})
    ) == {"image"}


def test_only_the_named_parts_are_replaced(condition, null):
    partial = drop_conditions(condition, null, ("label",))
    assert partial.streams["text"] is condition.streams["text"]
    assert partial.vectors["label"] is null.vectors["label"]
    whole = make_unconditional("cfg", condition, null)
    assert whole.streams["text"] is null.streams["text"]


@pytest.mark.parametrize("condition", [Condition(), SPATIAL], ids=["nothing", "spatial"])
def test_a_model_without_a_null_condition_is_an_error(condition):
    with pytest.raises(
        CompatibilityError,
        match=r"'apg'.*needs a null condition, and this model has none; set guidance to 1",
    ):
        make_unconditional("apg", condition, condition)
