import numpy as np
import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.training.data.scene_source import SceneSource

ANY = np.random.default_rng(0)


def make(**values):
    config = SceneConfig.model_validate({"size": 16, "objects": (2, 2), **values})
    return SceneSource(config, 3, 10)


def test_slots_give_references_beside_the_other_fields():
    source = make(slots=True, drawn=0.5)
    assert "references" in source.list_fields()
    described, shown = source.describe(4, ANY), source.show(4, None, ANY)
    assert described.keys() == {"prompt", "class_label", "references"}
    assert "#2" in described["prompt"]
    for fields in (described, source.describe(4, ANY), source.list_references(4)):
        np.testing.assert_array_equal(fields["references"], shown["references"])
    source.check_fields({"references": None, "layout": 2})


def test_without_slots_references_are_an_error_that_says_so():
    source = make()
    assert source.list_fields() == make(slots=True).list_fields() - {"references", "collage"}
    assert source.list_references(4) == {}
    assert "references" not in source.show(4, None, ANY)
    with pytest.raises(InvalidConfigError, match="no references without slots; set slots: true"):
        source.check_fields({"references": None})
    with pytest.raises(InvalidConfigError, match="no collage without slots; set slots: true"):
        source.check_fields({"collage": None})


@pytest.mark.parametrize(
    ("values", "field", "labels"),
    [
        ({}, "class_label", 512),
        ({"glyphs": ["face with heart eyes", "owl"]}, "layout", 101),
        ({"drawn": 0.1}, "class_label", 513),
        ({"slots": True, "objects": (1, 3)}, "layout", 3),
    ],
)
def test_a_conditioner_with_too_few_labels_is_an_error(values, field, labels):
    source = make(**values)
    source.check_fields({field: labels, "semantic_map": 1})
    message = f"labels of '{field}' up to {labels - 1}, but .* set num_classes: {labels}"
    with pytest.raises(InvalidConfigError, match=message):
        source.check_fields({field: labels - 1})
