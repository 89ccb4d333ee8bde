"""From what an importer found to a model."""

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.importing import Imported, ImportedPart
from latelier.conversion.importing import find_inputs

PLACES = ("first_stage", "denoiser", "conditioners.clip", "conditioners.t5", "conditioners.mask")


def found(inputs):
    parts = {place: ImportedPart("latelier/any", {}) for place in PLACES}
    return Imported(parts, inputs=inputs)


def test_one_input_may_feed_several_conditioners():
    assert find_inputs(found({"prompt": ["clip", "t5"]}), ["mask"]) == {"prompt": ("clip", "t5")}


def test_a_conditioner_that_no_input_feeds_is_an_input_itself():
    assert find_inputs(found({"prompt": "t5"}), ["mask"]) == {"prompt": ("t5",), "clip": ("clip",)}
    assert find_inputs(found({}), ()) == {name: (name,) for name in ("clip", "t5", "mask")}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"prompt": ["clip", "t6"]}, r"inputs feed 't6', which is not a conditioner\. Did you"),
        ({"prompt": []}, "the input 'prompt' feeds no conditioner"),
        ({"prompt": "t5", "text": ["clip", "t5"]}, "'t5' is fed by 2 public inputs, not by one"),
        ({"seed": "t5"}, "an input cannot be called 'seed'"),
    ],
)
def test_inputs_that_do_not_fit_the_conditioners_are_refused(inputs, message):
    with pytest.raises(InvalidConfigError, match=message):
        find_inputs(found(inputs), ["mask"])
