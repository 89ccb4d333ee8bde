import pytest

from latelier.contracts.errors import CompatibilityError, InvalidConfigError, UnknownNameError


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
        {"batch_size": 2},
        {"pictures": 10},
    ],
)
def test_the_identity_changes_with_what_determines_records(prepare, fields):
    assert prepare(**fields).identity != prepare().identity


def test_the_identity_does_not_change_with_what_does_not(prepare, tmp_path):
    other = {"out": tmp_path / "other", "title": "Another", "published": "table-01"}

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
