"""Listing, showing and verifying models."""

import json
import os
import shutil

import pytest


def test_embedded_models_are_listed(cli, tiny_model, monkeypatch):
    monkeypatch.setattr(
        "latelier.pipeline.storage.sources.list_embedded",
        lambda: {"tiny": tiny_model},
        raising=True,
    )
    (row,) = json.loads(cli("models", "list", "--json").out)
    assert (row["name"], row["description"], row["size"]) == ("tiny", "a tiny one", [16, 16])
    assert row["inputs"] == ["prompt", "class_label"]
    assert row["bytes"] == sum(
        path.stat().st_size for path in tiny_model.iterdir() if path.suffix != ".json"
    )
    head, line = cli("models", "list").out.splitlines()
    assert head.split()[0] == "MODEL"
    assert "16x16" in line


def test_show_prints_components_and_inputs(cli, tiny_model):
    shown = json.loads(cli("models", "show", tiny_model, "--json").out)
    assert shown["inputs"]["prompt"]["schema"]["properties"]["text"]["type"] == "string"
    text = shown["components"]["conditioners.class_label"]
    assert (text["id"], text["parameters"], text["dtypes"]) == ("latelier/class_label", 64, ["F32"])
    assert shown["components"]["denoiser"]["config"]["model_channels"] == 8
    out = cli("models", "show", tiny_model).out
    assert "class_label  cat or dog or cow or integer" in out
    assert "64 parameters (F32)" in out


def test_show_prints_the_vocabulary(cli, tiny_model):
    inputs = json.loads(cli("models", "show", tiny_model, "--json").out)["inputs"]
    assert inputs["class_label"]["vocabulary"] == ["cat", "dog", "cow"]
    assert "cat" in inputs["prompt"]["vocabulary"]
    assert inputs["prompt"]["vocabulary"] == sorted(inputs["prompt"]["vocabulary"])
    out = cli("models", "show", tiny_model).out
    assert "class_label knows 3 names or words\n  cat, dog, cow\n" in out


def test_an_intact_model_is_verified(cli, tiny_model):
    done = cli("models", "verify", tiny_model)
    assert done.status == 0
    assert done.out.count("  ok  ") == 6


@pytest.mark.parametrize("as_json", [False, True])
def test_every_damaged_file_is_named(cli, tiny_model, tmp_path, as_json):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "denoiser.safetensors").write_bytes(b"x")
    (folder / "conditioner.text.vocabulary.model").unlink()
    done = cli("models", "verify", folder, *(["--json"] if as_json else []))
    assert done.status == 2
    assert done.err.count("error: ") == 2
    if as_json:
        wrong = [row["path"] for row in json.loads(done.out) if not row["ok"]]
        assert wrong == ["denoiser.safetensors", "conditioner.text.vocabulary.model"]


def test_verified_files_are_hashed_again(cli, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("latelier.checkpoints.io.verification.ALWAYS_BELOW", 0)
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    assert cli("models", "verify", folder).status == 0
    weights = folder / "denoiser.safetensors"
    before = weights.stat()
    with weights.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cli("models", "verify", folder).status == 2


@pytest.fixture
def component(tmp_path, built_ins):
    """The folder of a first stage alone."""
    from latelier.checkpoints.component import new_component, save_component

    config = {"ch": 8, "ch_mult": (1, 2), "num_groups": 4}
    component = new_component("first_stage", "autoencoder_kl", config, built_ins)
    save_component(tmp_path / "vae", component)
    return tmp_path / "vae"


def test_a_single_component_is_shown(cli, component):
    done = cli("models", "show", component)
    assert done.status == 0
    assert "is not a model: it holds a first stage alone" in done.out
    assert "first_stage: latelier/autoencoder_kl" in done.out
    shown = json.loads(cli("models", "show", component, "--json").out)
    assert shown["standalone_kind"] == "first_stage"
    assert shown["components"]["first_stage"]["config"]["ch"] == 8


def test_the_files_of_a_single_component_are_verified(cli, component):
    assert cli("models", "verify", component).status == 0
    (component / "first_stage.safetensors").write_bytes(b"x")
    done = cli("models", "verify", component)
    assert (done.status, done.err.count("error: ")) == (2, 1)


def test_a_single_component_cannot_generate(cli, component):
    done = cli("generate", "--model", component, "--seed", 1)
    assert done.status == 2
    assert "found a single component" in done.err


def test_the_cache_is_listed_and_cleared(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stale = tmp_path / "cache" / "latelier" / "converted" / "of-a-killed-import"
    stale.mkdir(parents=True)
    (stale / "0.safetensors").write_bytes(b"x" * 2**20)
    (tmp_path / "cache" / "latelier" / "unrelated").mkdir()
    listed = cli("models", "cache")
    assert listed.status == 0
    assert listed.out.splitlines()[-1] == "1 files, 1.0 MiB"
    assert stale.is_dir()
    (row,) = json.loads(cli("models", "cache", "--json").out)["files"]
    assert row == {"path": str(stale / "0.safetensors"), "bytes": 2**20}
    assert cli("models", "cache", "--clear").out.endswith("1 files, 1.0 MiB, removed\n")
    assert not stale.exists()
    assert (tmp_path / "cache" / "latelier" / "unrelated").is_dir()
    assert cli("models", "cache").out.endswith("0 files, 0.0 MiB\n")
