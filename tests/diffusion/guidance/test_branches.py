import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.guidance.branches import unconditional, with_null, without

SPATIAL = Condition({}, {"image": torch.ones(3, 1, 2, 2)}, {})


def test_what_has_a_null(condition, null):
    assert with_null(condition, null) == {"text", "label"}
    assert with_null(SPATIAL, Condition({}, {"image": torch.ones(3, 1, 2, 2)}, {})) == set()
    assert with_null(SPATIAL, Condition({}, {"image": torch.zeros(3, 1, 2, 2)}, {})) == {"image"}


def test_parts_are_replaced_one_by_one(condition, null):
    side = without(condition, null, ("label",))
    assert side.streams["text"] is condition.streams["text"]
    assert side.vectors["label"] is null.vectors["label"]
    whole = unconditional("cfg", condition, null)
    assert whole.streams["text"] is null.streams["text"]


@pytest.mark.parametrize("condition", [Condition(), SPATIAL], ids=["nothing", "spatial"])
def test_a_model_without_a_null_condition(condition):
    with pytest.raises(CompatibilityError, match=r"'apg'.*takes no condition that has one"):
        unconditional("apg", condition, condition)
