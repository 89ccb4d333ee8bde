import pytest
from pydantic import ValidationError

from latelier.data.emoji_scenes.config import SceneConfig


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"glyphs": ("piza",)}, "'piza' is not in the vocabulary. Close: pizza"),
        ({"glyphs": ("cat", "cat")}, "each name once"),
        ({"glyphs": ("cat",), "part": "train"}, 'leave out part "train"'),
        ({"repeated": 0.5}, "repeated: captions name each object once; set slots: true"),
        ({"empty": 0.5}, "empty: a scene without objects has no class; set slots: true"),
        ({"drawn": 1.5}, "less than or equal to 1"),
        ({"glyphs": ("cat",), "objects": (1, 2)}, "up to 2 different objects, but there are 1"),
    ],
)
def test_impossible_values_are_refused(values: dict[str, object], advice: str) -> None:
    with pytest.raises(ValidationError, match=advice):
        SceneConfig.model_validate(values)


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("vocabulary", "big", "'basic' or 'all'"),
        ("backgrounds", ("plaid",), "'plain', 'gradient', 'stripes', 'dots', 'checks' or 'place'"),
        ("backgrounds", (), r'such as \("plain",\)'),
        ("size", 15, "greater than or equal to 16"),
        ("objects", (3, 2), r"such as \(2, 3\)"),
        ("objects", (0, 2), "greater than or equal to 1"),
        ("scale", (0.9, 0.5), r"such as \(0.5, 0.9\)"),
        ("colour", "red", "Extra inputs are not permitted"),
    ],
)
def test_config_errors_name_the_field_and_the_valid_values(
    field: str, value: object, advice: str
) -> None:
    with pytest.raises(ValidationError, match=advice) as caught:
        SceneConfig.model_validate({field: value})
    (error,) = caught.value.errors()
    assert error["loc"][0] == field
