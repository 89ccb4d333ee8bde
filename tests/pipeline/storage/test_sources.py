"""Where a model is: embedded, a path, or on the hub, which alone may use the network."""

import shutil

import pytest

from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.pipeline.storage.manifest_header import MANIFEST
from latelier.pipeline.storage.sources import find

LEAST = """{"latelier": "0", "process": {"kind": "vp"}, "defaults": {"size": 8},
 "first_stage": {"id": "a/b", "version": "0", "config": {},
   "weights": {"path": "first_stage.safetensors", "sha256": "0"}},
 "denoiser": {"id": "a/c", "version": "0", "config": {},
   "assets": {"names": {"path": "denoiser.names.csv", "sha256": "0"}}}}"""


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Any attempt to fetch fails the test, unless the test brings its own."""

    def refuse(*_, **__):
        raise AssertionError("used the network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)


@pytest.fixture
def model(tmp_path, monkeypatch):
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(LEAST)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_path_takes_precedence_over_the_hub(model):
    for name in ("models/mine", "./models/mine", str(model), str(model / MANIFEST)):
        source = find(name)
        assert source.folder.resolve() == model
        assert source.name == str(model)
        assert source.revision is None


def test_for_the_name_of_a_preset_the_error_names_the_build_command(model):
    with pytest.raises(UnknownNameError, match="`latelier models build cin256 cin256` makes it"):
        find("cin256")


@pytest.mark.parametrize(
    "name",
    ["emoji-scene", "./gone", "../gone", "/gone/away", "a/b/c", "a/b.bin", "a/b.ckpt"],
)
def test_an_unknown_name_is_an_error_without_the_network(model, name):
    with pytest.raises(UnknownNameError, match=r"model .* not found"):
        find(name)


@pytest.mark.parametrize("name", ["d/my.safetensors", "my.ckpt", "d/my", "./d/my.safetensors"])
def test_the_error_for_a_file_names_the_import_command(model, name):
    path = model.parents[1] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(ModelFileError, match=rf"my[^:]*: is a file.*`latelier import {name} DEST`"):
        find(name)


def test_the_manifest_and_the_files_that_it_names_are_fetched_from_the_hub(
    model, tmp_path, monkeypatch
):
    keywords = []
    commit = tmp_path / "snapshots" / ("c" * 40)

    def snapshot(repository, revision, allow_patterns):
        keywords.append((repository, revision, sorted(allow_patterns)))
        shutil.copytree(model, commit, dirs_exist_ok=True)
        return str(commit)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    source = find("someone/model@v1")
    assert (source.name, source.revision) == ("someone/model", "c" * 40)
    assert keywords == [
        ("someone/model", "v1", [MANIFEST]),
        (
            "someone/model",
            "c" * 40,
            ["denoiser.names.csv", "first_stage.safetensors", MANIFEST],
        ),
    ]


def test_a_repository_without_a_model_is_an_error(model, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(ModelFileError, match="'someone/model' on the hub is not a latelier model"):
        find("someone/model")


def failures():
    import httpx2
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RevisionResolutionError,
    )

    return [
        httpx2.ConnectError("Name or service not known"),
        httpx2.ReadTimeout("timed out"),
        httpx2.ProxyError("no proxy"),
        httpx2.UnsupportedProtocol("unsupported protocol 'ftp'"),
        httpx2.InvalidURL("no such port"),
        httpx2.StreamClosed(),
        RevisionResolutionError("no such branch"),
        LocalEntryNotFoundError("offline"),
        HFValidationError("bad name"),
        ConnectionError("no route"),
    ]


@pytest.mark.parametrize("error", failures(), ids=lambda error: type(error).__name__)
def test_an_unreachable_hub_is_an_error(monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    message = "no folder 'someone/model', and it could not be fetched from the hub: " + str(error)
    with pytest.raises(ModelFileError, match=message):
        find("someone/model")


def test_a_token_of_other_characters_is_an_error(monkeypatch):
    def encode(*_, **__):
        "ä".encode("ascii")

    monkeypatch.setattr("huggingface_hub.snapshot_download", encode)
    with pytest.raises(ModelFileError, match=r"the access token \(HF_TOKEN\) holds a character"):
        find("someone/model")


def test_a_fault_of_the_program_is_not_blamed_on_the_network(monkeypatch):
    def fails(*_, **__):
        raise TypeError("wrong call")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    with pytest.raises(TypeError, match="wrong call"):
        find("someone/model")
