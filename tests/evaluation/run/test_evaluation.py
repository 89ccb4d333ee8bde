from collections.abc import Callable

import pytest

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.component import new_component
from latelier.contracts.errors import CompatibilityError, InvalidConfigError, UnknownNameError
from latelier.denoisers.adapter import ATTENTION_ID, create_adapter
from latelier.denoisers.configs import ProjectionConfig


def test_a_measure_without_its_reference_is_an_error_before_anything_is_made(prepare, tmp_path):
    with pytest.raises(InvalidConfigError, match="reference: a measure compares"):
        prepare(reference=None)
    assert not list(tmp_path.iterdir())


def test_a_measure_of_features_needs_a_network(prepare):
    with pytest.raises(InvalidConfigError, match="no network is named"):
        prepare(network=None)


def test_without_measures_of_features_no_network_is_loaded(prepare):
    evaluation = prepare(measures=["difference"], network="missing")

    assert evaluation.network is None


def test_an_unknown_measure_is_an_error(prepare):
    with pytest.raises(UnknownNameError, match="measures: there is no measure 'fidd'"):
        prepare(measures=["fidd"])


def test_a_measure_may_be_there_twice(prepare):
    twice = [{"id": "shift"}, {"id": "shift", "config": {"version": 2}}]

    assert list(prepare(measures=twice).measures) == ["shift", "shift-2"]


def test_an_input_that_the_model_lacks_is_an_error(prepare, tiny, tmp_path):
    tiny.save(tmp_path / "tiny")

    with pytest.raises(CompatibilityError, match="has no input 'layout', only label, prompt"):
        prepare(task="layout", model=str(tmp_path / "tiny"), data={"config": {"size": 16}})


@pytest.mark.parametrize("option", ["seed", "size", "stepps"])
def test_options_that_a_run_gives_itself_are_an_error(prepare, tiny, tmp_path, option):
    tiny.save(tmp_path / "tiny")

    with pytest.raises(InvalidConfigError, match=f"generate: '{option}' is no option of it"):
        prepare(
            task="text",
            model=str(tmp_path / "tiny"),
            data={"config": {"size": 16}},
            generate={option: 3},
        )


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 1},
        {"data": {"config": {"size": 32}, "seed": 5}},
        {"network": {"id": "toy", "config": {"version": 2}}},
        {"measures": [{"id": "difference", "config": {"version": 2}}, "shift"]},
        {"measures": ["shift"]},
        {"batch_size": 2},
        {"pictures": 10},
    ],
)
def test_the_identity_changes_with_what_determines_records(prepare, fields):
    assert prepare(**fields).identity != prepare().identity


def test_the_identity_does_not_change_with_what_does_not(prepare, tmp_path):
    other = {
        "out": tmp_path / "other",
        "title": "Another",
        "published": "table-01",
        "measures": ["shift", "difference", "failing"],
    }

    assert prepare(**other).identity == prepare().identity


def test_the_identity_changes_with_the_weights_of_a_measure(prepare, toys, monkeypatch):
    def identity_with(weights):
        monkeypatch.setattr(toys.measures.get("difference"), "identity", weights, raising=False)
        return prepare().identity

    assert identity_with("weights 1") != identity_with("weights 2")


def test_the_identity_changes_with_the_files_of_the_model(
    prepare, compose_tiny, tiny_changes, tmp_path
):
    parts = tiny_changes()
    for name, steps in (("a", 3), ("b", 4)):
        parts["defaults"]["steps"] = steps
        compose_tiny(**parts).save(tmp_path / name)
    fields = {"task": "text", "data": {"config": {"size": 16}}, "measures": ["difference"]}

    first, same, other = (
        prepare(model=str(tmp_path / name), **fields).identity for name in ("a", "a", "b")
    )

    assert first == same
    assert first != other


@pytest.fixture
def save_with_adapters(tiny, tmp_path) -> Callable[[], tuple[str, list[str]]]:
    """Save the tiny model and two adapters for it; return their folders."""

    def save() -> tuple[str, list[str]]:
        tiny.save(tmp_path / "tiny")
        for name in ("a", "b"):
            module = create_adapter(tiny.denoiser, 3, ProjectionConfig(width=16))
            conditioner = new_component("conditioner", "embedding", {"width": 3}, tiny.atelier)
            (tmp_path / name).mkdir()
            component = adapter_component(ATTENTION_ID, module)
            save_adapter(LoadedAdapter("colours", component, conditioner), {}, tmp_path / name)
        return str(tmp_path / "tiny"), [str(tmp_path / name) for name in ("a", "b")]

    return save


def test_the_identity_changes_with_the_adapters(prepare, save_with_adapters):
    model, (a, b) = save_with_adapters()
    fields = {
        "task": "text",
        "model": model,
        "data": {"config": {"size": 16}},
        "measures": ["difference"],
    }

    choices = ([], [a], [b], [{"adapter": a, "scale": 0.5}])
    identities = {prepare(adapters=each, **fields).identity for each in choices}

    assert len(identities) == 4
    assert list(prepare(adapters=[a], **fields).facts["adapters"][0]) == ["weights", "scale"]
