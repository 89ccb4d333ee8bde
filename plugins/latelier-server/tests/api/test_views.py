"""What clients are told of a model."""

from types import SimpleNamespace

import latelier
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


def test_inputs_that_a_picture_and_its_mask_fill_are_listed():
    unet = {"in_channels": 3, "out_channels": 3, "model_channels": 8, "num_groups": 4}
    unet |= {"channel_mult": [1], "num_heads": 1, "vectors": {"kind": 8}, "spatial": {"fill": 4}}
    model = latelier.compose(
        first_stage=("identity", {}),
        denoiser=("unet", unet),
        conditioners={
            "fill": ("mask", {"latent_channels": 3}),
            "kind": ("class_label", {"num_classes": 2, "width": 8, "slot": "vector"}),
        },
        inputs={"inpainting": "fill", "kind": "kind"},
        process={"kind": "rectified_flow"},
        defaults={"size": 8},
    )
    found = views.describe_model(model, "small")
    assert list(found["inputs"]) == ["inpainting", "kind"]
    assert found["inpainting"] == ["inpainting"]


def test_names_are_those_of_the_database_then_those_of_labels(databases):
    text, kinds = conditioner("text", "of", "a"), conditioner(None, "cat", "dog")
    assert views.find_subjects(pipe("animals", text=text, kinds=kinds)) == ["red panda"]
    assert views.find_subjects(pipe("of a plugin", text=text, kinds=kinds)) == ["cat", "dog"]
    assert views.find_subjects(pipe(None, text=text, kinds=kinds)) == ["cat", "dog"]


def test_words_of_captions_are_no_names(databases):
    assert views.find_subjects(pipe(None, text=conditioner("text", "of", "a"))) == []
