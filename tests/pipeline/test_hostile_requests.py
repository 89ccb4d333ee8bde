"""Whatever JSON a client sends, a run ends or an error of latelier says what is wrong."""

import pytest

from latelier.contracts.errors import InvalidInputError, LatelierError
from latelier.contracts.options import options_model

HUGE = (1e308, -1e308, 1e-308, 1e39, 10**30)


def number_paths(schema, definitions):
    """Yield a function for each number in a JSON schema: it makes a value that holds the number."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    if schema.get("type") in {"number", "integer"}:
        yield lambda value: value
    for each in schema.get("anyOf", ()):
        yield from number_paths(each, definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        for make in number_paths(schema["additionalProperties"], definitions):
            yield lambda value, make=make: {"text": make(value), "class_label": 1.0}
    items = schema.get("items")
    if isinstance(items, dict):
        for make in number_paths(items, definitions):
            yield lambda value, make=make: [make(value), 0.0]
    if "prefixItems" in schema:
        yield lambda value: [0.0, value]


def requests_with(registry, kind, value):
    for name in registry.names():
        schema = options_model(registry.get(name)).model_json_schema()
        for option, each in schema.get("properties", {}).items():
            for make in number_paths(each, schema.get("$defs", {})):
                yield {kind: {"name": name, option: make(value)}}


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize("kind", ["sampler", "schedule", "guidance", "acceleration"])
def test_huge_options_give_no_error_of_another_library(tiny, kind, value):
    registry = tiny.atelier.registries[kind]
    requests = list(requests_with(registry, kind, value))
    assert len(requests) > 2
    faults = []
    for request in requests:
        try:
            list(tiny.stream_json({"inputs": {"prompt": "a"}, "seed": 1, "steps": 2, **request}))
        except LatelierError:
            pass
        except Exception as error:
            faults.append((request, repr(error)))
    assert faults == []


@pytest.mark.parametrize("scale", [1e308, 1e39, 10001])
def test_a_guidance_scale_is_limited(tiny, scale):
    with pytest.raises(
        InvalidInputError, match=r"'scale': .*less than or equal to 10000"
    ) as caught:
        tiny.stream_json({"inputs": {"prompt": "a"}, "guidance": scale})
    assert caught.value.field == "guidance.scale"


@pytest.mark.parametrize("tolerance", [0, 1e-7])
def test_the_tolerance_of_adaptive_has_a_lower_limit(tiny, tolerance):
    with pytest.raises(
        InvalidInputError, match=r"'tolerance': .*greater than or equal to 0\.000001"
    ):
        tiny.stream_json(
            {
                "inputs": {"prompt": "a"},
                "sampler": {"name": "adaptive", "tolerance": tolerance},
            }
        )


@pytest.mark.parametrize(
    "label",
    ["9" * 5000, 10**5000, -(10**5000), "x" * 5000],
    ids=["text", "positive", "negative", "name"],
)
def test_a_class_of_thousands_of_digits_is_refused(tiny, label):
    with pytest.raises(InvalidInputError, match="class") as caught:
        tiny.stream_json({"inputs": {"label": label}})
    assert len(str(caught.value)) < 600


def nested(depth, inner):
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize("depth", [40, 900, 100_000])
@pytest.mark.parametrize("field", ["prompt", "negative", "guidance", "init_image"])
def test_deep_lists_are_refused(tiny, field, depth):
    values = {"prompt": "a", field: nested(depth, "x")}
    options = {name: value for name, value in values.items() if name != "prompt"}
    for run in (
        lambda: tiny.stream_json({"inputs": {"prompt": values["prompt"]}, **options}),
        lambda: tiny.stream(**values),
    ):
        with pytest.raises(InvalidInputError, match="nested more than 32 deep") as caught:
            run()
        assert caught.value.field == field


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "request_",
    [
        {"inputs": {LONG: "a"}},
        {"inputs": {"prompt": "a"}, LONG: 3},
        {"inputs": {"prompt": "a"}, "negative": {LONG: "b"}},
        {"inputs": {"prompt": {LONG: "a"}}},
        {"inputs": {"prompt": "a"}, "sampler": LONG},
        {"inputs": {"prompt": "a"}, "sampler": {"name": "ddim", LONG: 1}},
        {"inputs": {"prompt": "a"}, "guidance": {"name": "per_condition", "scales": {LONG: 2}}},
        {"inputs": {"prompt": "a"}, "noise": LONG},
        {"inputs": {"prompt": "a"}, "init_image": LONG},
        {"inputs": {"label": LONG}},
    ],
    ids=[
        "input",
        "option",
        "negative",
        "field",
        "sampler",
        "sampler option",
        "scale",
        "noise",
        "init_image",
        "label",
    ],
)
def test_long_names_are_cut_in_errors(tiny, request_):
    with pytest.raises(LatelierError) as caught:
        list(tiny.stream_json({"steps": 1, **request_}))
    assert len(str(caught.value)) < 800
    assert "x" * 100 not in str(caught.value)


def test_an_error_lists_the_first_ten_faults(tiny):
    unknown = {f"option_{number:02}": 1 for number in range(30)}
    with pytest.raises(InvalidInputError, match=r"and 20 more$") as caught:
        tiny.stream_json({"inputs": {"prompt": "a"}, **unknown})
    assert "option_09" in str(caught.value)
    assert "option_10" not in str(caught.value)
