"""Names of what a model can draw."""

from types import SimpleNamespace

import pytest
from latelier.contracts.errors import UnknownNameError

from latelier_server.api import views


def conditioner(role, *words):
    config = SimpleNamespace(reference_role=role)
    return SimpleNamespace(config=config, vocabulary=lambda: words)


def pipe(database=None, **conditioners):
    return SimpleNamespace(
        defaults=SimpleNamespace(database=database), atelier=None, conditioners=conditioners
    )


@pytest.fixture
def databases(monkeypatch):
    """A database 'animals'."""

    def open_one(name, _atelier):
        if name != "animals":
            raise UnknownNameError(f"there is no database '{name}'")
        return SimpleNamespace(entries=[SimpleNamespace(name="red panda")])

    monkeypatch.setattr(views, "open_database", open_one)


def test_names_are_those_of_the_database_then_those_of_labels(databases):
    text, kinds = conditioner("text", "of", "a"), conditioner(None, "cat", "dog")
    assert views.find_subjects(pipe("animals", text=text, kinds=kinds)) == ["red panda"]
    assert views.find_subjects(pipe("of a plugin", text=text, kinds=kinds)) == ["cat", "dog"]
    assert views.find_subjects(pipe(None, text=text, kinds=kinds)) == ["cat", "dog"]


def test_words_of_captions_are_no_names(databases):
    assert views.find_subjects(pipe(None, text=conditioner("text", "of", "a"))) == []
