from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from latelier.training.configs.data import CaptionConfig
from latelier.training.data.captions import choose_prompt


def prompts(captions, count=400, class_name=None, **config):
    generator = np.random.default_rng(0)
    return Counter(
        choose_prompt(captions, class_name, CaptionConfig(**config), generator)
        for _ in range(count)
    )


def test_captions_are_drawn_by_their_weights():
    drawn = prompts([("often", 3), ("seldom", 1), ("never", 0)])
    assert 250 < drawn["often"] < 350
    assert drawn["often"] + drawn["seldom"] == 400


def test_templates_stand_around_captions_and_classes():
    drawn = prompts(
        [("a {class}", 1)], class_name="cat", templates=["{caption}", "photo of {caption}: {class}"]
    )
    assert set(drawn) == {"a {class}", "photo of a {class}: cat"}
    assert abs(drawn["a {class}"] - 200) < 50


def test_a_template_that_needs_what_is_missing_is_not_used():
    templates = ["{caption}", "a photo of {class}"]
    assert set(prompts([], class_name="cat", templates=templates)) == {"a photo of cat"}
    assert set(prompts([("x", 1)], templates=templates)) == {"x"}
    assert set(prompts([], templates=templates)) == {None}


def test_tags_are_shuffled_and_dropped_but_the_first_are_kept():
    drawn = prompts(
        [("style, a,b , c", 1)], shuffle_tags=True, keep_tags=1, drop_tags=0.3, count=2000
    )
    assert all(text.split(", ")[0] == "style" for text in drawn)
    tags = Counter(tag for text in drawn.elements() for tag in text.split(", "))
    assert all(1300 < tags[tag] < 1500 for tag in "abc")
    assert {"style, c, a, b", "style", "style, b, a"} <= set(drawn)


@pytest.mark.parametrize("template", ["{prompt}", "{}", "{caption.__class__}", "{0}"])
def test_other_fields_of_templates_are_an_error(template):
    with pytest.raises(ValidationError, match="as the only fields in braces"):
        CaptionConfig(templates=[template])
