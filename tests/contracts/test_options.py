"""The options of a sampler are its keyword-only parameters."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import bind, options_model, read_options

LATE = """
from __future__ import annotations
from typing import TYPE_CHECKING, Annotated
from pydantic import Field
if TYPE_CHECKING:
    from torch import Tensor

def late(denoise, x: Tensor, grid, /, *, noise: Tensor, eta: Annotated[float, Field(le=1)] = 0.5):
    yield
"""


def sampler(
    denoise: Any,
    x: Any,
    grid: Any,
    /,
    *,
    noise: Any,
    eta: Annotated[float, Field(ge=0, le=1, description="fresh noise")] = 0.0,
    way: Literal["a", "b"] = "a",
    free=3,
) -> None: ...


def test_options_have_types_ranges_defaults_and_descriptions():
    schema = options_model(sampler).model_json_schema()
    assert list(schema["properties"]) == ["eta", "way", "free"]
    assert schema["properties"]["eta"]["description"] == "fresh noise"
    assert schema["properties"]["eta"]["maximum"] == 1
    assert options_model(sampler) is options_model(sampler)


def test_defaults_are_filled_in():
    assert read_options(sampler, {"eta": 1}, "sampler") == {"eta": 1.0, "way": "a", "free": 3}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"etta": 1}, "sampler 'x': there is no field 'etta'. Did you mean 'eta'.*free, way"),
        ({"eta": 2}, r"'eta': Input should be less than or equal to 1 \(given: 2\)"),
        ({"way": "c"}, "'way': Input should be 'a' or 'b'"),
        ({"noise": None}, "there is no field 'noise'"),
    ],
)
def test_a_wrong_option_is_named(values, message):
    with pytest.raises(InvalidInputError, match=message):
        read_options(sampler, values, "sampler 'x'")


def test_an_option_without_a_default_is_required():
    def needy(*, strength: float) -> None: ...

    assert read_options(needy, {"strength": 2}, "x") == {"strength": 2.0}
    with pytest.raises(InvalidInputError, match="the field 'strength' is required"):
        read_options(needy, {}, "x")


def test_annotations_for_type_checkers_are_ignored(site):
    (site.folder / "late_annotations.py").write_text(LATE)
    import late_annotations

    assert read_options(late_annotations.late, {}, "x") == {"eta": 0.5}
    with pytest.raises(InvalidInputError, match="less than or equal to 1"):
        read_options(late_annotations.late, {"eta": 2}, "x")


def test_bound_defaults_replace_the_defaults():
    bound = bind(sampler, {"eta": 0.5})
    assert bound.__name__ == "sampler"
    assert options_model(bound).model_json_schema()["properties"]["eta"]["default"] == 0.5
    assert read_options(bound, {}, "sampler")["eta"] == 0.5
    assert read_options(bound, {"eta": 1}, "sampler")["eta"] == 1
    assert read_options(sampler, {}, "sampler")["eta"] == 0
    with pytest.raises(InvalidInputError, match=r"'eta': .*less than or equal to 1"):
        read_options(bind(sampler, {"eta": 2}), {}, "sampler")


@pytest.mark.parametrize("name", ["etta", "x", "denoise"])
def test_only_options_can_be_bound(name):
    with pytest.raises(TypeError, match=f"sampler has no option '{name}'"):
        bind(sampler, {name: 1})
