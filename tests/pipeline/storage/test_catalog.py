"""Models on this machine are listed, by the names with which they can be loaded."""

import json
import logging
import subprocess
import sys

import pytest

import latelier


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tiny, tmp_path):
    folder = tmp_path / "models" / "tiny"
    tiny.save(folder)
    return folder


def test_embedded_models_are_listed():
    (info, small, *_) = latelier.list_models()
    assert (info.name, info.size) == ("scenes", (128, 128))
    assert info.inputs == ("prompt", "reference", "layout", "semantic_map", "low_resolution")
    assert (small.name, small.size) == ("emoji-scenes", (64, 64))
    assert small.inputs == ("prompt", "class_label")
    assert info.description


def test_models_in_folders_are_listed_and_can_be_loaded(model, built_ins):
    (model.parent / "no-model").mkdir()
    for folder in (model, model.parent, str(model.parent)):
        (info,) = latelier.list_models(folder)[2:]
        assert (info.name, info.folder.name) == (str(model), "tiny")
        assert info.inputs == ("prompt", "label")
    assert latelier.load(info.name, "cpu", atelier=built_ins).inputs.keys() == {"prompt", "label"}


def test_models_in_the_cache_of_the_hub_are_listed(model, cache):
    repository = cache / "models--somebody--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("b0b")
    for revision in ("b0b", "a1a"):
        (repository / "snapshots").mkdir(exist_ok=True)
        (repository / "snapshots" / revision).symlink_to(model)
    names = [info.name for info in latelier.list_models()[2:]]
    assert names == ["somebody/tiny@a1a", "somebody/tiny"]


def test_a_model_with_missing_files_is_not_listed(model):
    (model / "denoiser.safetensors").unlink()
    assert len(latelier.list_models(model)) == 2


def test_a_damaged_model_is_skipped_with_a_warning(model, caplog):
    manifest = json.loads((model / "latelier.json").read_text())
    (model / "latelier.json").write_text(json.dumps({**manifest, "format": 99}))
    with caplog.at_level(logging.WARNING):
        assert len(latelier.list_models(model)) == 2
    assert "latelier.json" in caplog.text


def test_listing_imports_no_torch():
    code = "import sys, latelier; latelier.list_models(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
