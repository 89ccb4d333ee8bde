"""Finding what is to be imported: files, folders, YAML, and repositories of the hub."""

import pytest

from latelier.checkpoints.importers.hub import locate, wanted_files
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.errors import ModelFileError


@pytest.fixture
def folder(tmp_path):
    def make(*names: str):
        for name in names:
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_text(f"of: {name}")
        return tmp_path / "in"

    return make


@pytest.mark.parametrize(
    ("names", "named", "config"),
    [
        (("w.ckpt", "w.yaml", "config.yaml"), "w.ckpt", "w.yaml"),
        (("w.ckpt", "v.yaml", "config.yaml"), "w.ckpt", "config.yaml"),
        (("w.ckpt", "v.yaml"), "w.ckpt", None),
        (("w.ckpt", "v.yaml"), "", "v.yaml"),
        (("W.SAFETENSORS", "v.yml"), "", "v.yml"),
        (("w.ckpt",), "", None),
        (("model_index.json", "a.bin", "b.bin", "v.yaml"), "", None),
    ],
)
def test_the_yaml_of_a_checkpoint(folder, names, named, config):
    source = open_source(folder(*names) / named, None, {})
    assert source.config == (config and {"of": config})


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.ckpt", "b.safetensors"), "several files of weights; name one of a.ckpt, b.safet"),
        (("a.txt",), "holds no weights"),
        (("a.ckpt", "a1.yaml", "a2.yaml"), "several YAML files; choose with --config: a1.yaml, a2"),
    ],
)
def test_folders_that_leave_a_choice(folder, names, why):
    with pytest.raises(ModelFileError, match=why):
        open_source(folder(*names), None, {})


def test_files_beside_the_weights(folder):
    path = folder("w.ckpt", "vocab.txt")
    for named in (path, path / "w.ckpt"):
        source = open_source(named, None, {})
        assert source.sibling("vocab.txt") == b"of: vocab.txt"
        assert source.sibling("other.txt") is None


def test_paths_come_before_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert locate("owner/name")[0].resolve() == tmp_path / "owner" / "name"
    for name in ("./owner/other", "other", "/owner/other"):
        with pytest.raises(ModelFileError, match="there is no such file or folder"):
            locate(name)


DIFFUSERS = [
    "README.md",
    "model_index.json",
    "v1-5-pruned.ckpt",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.bin",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
]


def test_each_component_of_diffusers_is_fetched_once():
    wanted = wanted_files("a/b", DIFFUSERS)
    assert [name for name in wanted if not name.endswith((".json", ".txt"))] == [
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.bin",
    ]
    assert "tokenizer/merges.txt" in wanted


def test_one_checkpoint_is_fetched_with_its_yaml():
    beside = ["m.yaml", "vocab.txt", "tokenizer.json"]
    assert wanted_files("a/b", ["m.ckpt", *beside, "x.md", "y.json"]) == ["m.ckpt", *beside]
    with pytest.raises(ModelFileError, match=r"has 2 checkpoints; name one: a/b/m\.ckpt, a"):
        wanted_files("a/b", ["m.ckpt", "n.ckpt"])


def test_a_repository_that_was_fetched_before_is_found_offline(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFileError, match="could not be fetched from the hub"):
        locate("owner/model")
    commit = "a" * 40
    snapshot = tmp_path / "models--owner--model" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "w.ckpt").touch()
    refs = tmp_path / "models--owner--model" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit)
    assert locate("owner/model") == (snapshot, f"owner/model@{commit}")
    assert locate("owner/model/w.ckpt")[0] == snapshot / "w.ckpt"


@pytest.mark.parametrize(
    ("source", "revision", "patterns", "path"),
    [
        ("owner/model", None, ["m.ckpt", "m.yaml"], ""),
        ("owner/model@v2", "v2", ["m.ckpt", "m.yaml"], ""),
        ("owner/model/m.ckpt@v2", "v2", ["m.ckpt", "m.yaml"], "m.ckpt"),
    ],
)
def test_what_is_fetched(tmp_path, monkeypatch, source, revision, patterns, path):
    import huggingface_hub

    monkeypatch.chdir(tmp_path)
    asked = []

    def fetch(repository, revision, allow_patterns):
        asked.append((repository, revision, allow_patterns))
        return str(tmp_path / "commit")

    names = ["m.ckpt", "m.yaml", "README.md"]
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *_, **__: names)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    found, name = locate(source)
    assert asked == [("owner/model", revision, patterns)]
    assert found == tmp_path / "commit" / path
    assert name.endswith("@commit")
