import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.guidance.branches import find_nullable, make_unconditional, nullify

SPATIAL = Condition({}, {"image": torch.ones(3, 1, 2, 2)}, {})


def test_what_has_a_null(condition, null):
    assert find_nullable(condition, null) == {"text", "label"}
    assert find_nullable(SPATIAL, Condition({}, {"image": torch.ones(3, 1, 2, 2)}, {})) == set()
    assert find_nullable(SPATIAL, Condition({}, {"image": torch.zeros(3, 1, 2, 2)}, {})) == {
        "image"
    }


def test_parts_are_replaced_one_by_one(condition, null):
    side = nullify(condition, null, ("label",))
    assert side.streams["text"] is condition.streams["text"]
    assert side.vectors["label"] is null.vectors["label"]
    whole = make_unconditional("cfg", condition, null)
    assert whole.streams["text"] is null.streams["text"]


@pytest.mark.parametrize("condition", [Condition(), SPATIAL], ids=["nothing", "spatial"])
def test_a_model_without_a_null_condition(condition):
    with pytest.raises(CompatibilityError, match=r"'apg'.*takes no condition that has one"):
        make_unconditional("apg", condition, condition)
