"""Finding the source of an import: files, folders, YAML, and repositories of the hub."""

import fnmatch
import json

import pytest

from latelier.checkpoints.importers.hub import locate, only_checkpoint, weights_of_folders
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.conversion.importing import import_model


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
def test_the_yaml_of_a_checkpoint_is_found(folder, names, named, config):
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
def test_ambiguous_folders_are_refused(folder, names, why):
    with pytest.raises(ModelFileError, match=why):
        open_source(folder(*names), None, {})


def test_files_in_the_folder_of_the_weights_are_read(folder):
    path = folder("w.ckpt", "vocab.txt")
    for named in (path, path / "w.ckpt"):
        source = open_source(named, None, {})
        assert source.sibling("vocab.txt") == b"of: vocab.txt"
        assert source.sibling("other.txt") is None


def test_local_paths_take_precedence_over_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert locate("owner/name").path.resolve() == tmp_path / "owner" / "name"
    for name in ("./owner/other", "other", "/owner/other"):
        with pytest.raises(ModelFileError, match="file or folder not found"):
            locate(name)


FILES = [
    "README.md",
    "model_index.json",
    "v1-5-pruned.ckpt",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.bin",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "text_encoder/model.onnx",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.fp16.bin",
    "text_encoder/pytorch_model.fp16.bin",
    "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
    "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
    "transformer/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
    "transformer/diffusion_pytorch_model.safetensors.index.json",
    "transformer/diffusion_pytorch_model.safetensors.index.fp16.json",
    "safety_checker/model.safetensors",
    "checkpoint-500/optimizer.bin",
    "checkpoint-500/unet/diffusion_pytorch_model.safetensors",
    "unet/optimizer.bin",
]


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("unet", ["diffusion_pytorch_model.safetensors"]),
        ("vae", ["diffusion_pytorch_model.bin"]),
        ("text_encoder", ["model.fp16.safetensors"]),
        (
            "transformer",
            [f"diffusion_pytorch_model-0000{k}-of-00002.safetensors" for k in (1, 2)],
        ),
        ("nowhere", []),
    ],
)
def test_each_component_of_diffusers_is_fetched_in_one_variant(folder, names):
    assert weights_of_folders(FILES, [folder]) == [f"{folder}/{name}" for name in names]


def test_one_checkpoint_of_several_is_not_guessed():
    assert only_checkpoint("a/b", ["m.yaml", "m.ckpt", "x.md"]) == "m.ckpt"
    with pytest.raises(ModelFileError, match=r"has 2 checkpoints; name one: a/b/m\.ckpt, a"):
        only_checkpoint("a/b", ["m.ckpt", "n.ckpt"])


def test_a_cached_repository_is_found_offline(tmp_path, monkeypatch):
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
    found = locate("owner/model")
    assert (found.path, found.name) == (snapshot, f"owner/model@{commit}")
    found.fetch_weights()
    assert locate("owner/model/w.ckpt").path == snapshot / "w.ckpt"


def test_without_network_a_cached_repository_is_found(tmp_path, monkeypatch):
    import httpx2
    import huggingface_hub

    def fail(*_, **__):
        raise httpx2.ConnectError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", fail)
    with pytest.raises(ModelFileError, match=r"from the hub: Name or service not known$"):
        locate("owner/model")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    assert locate("owner/model").path == tmp_path


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub of one repository; returns the files of each fetch, and makes those of `contents`."""
    import huggingface_hub

    fetched = []

    def make(contents: dict[str, str]):
        def fetch(repository, revision, allow_patterns):
            fetched.append((repository, revision, sorted(allow_patterns)))
            for name in set(allow_patterns) & contents.keys():
                path = tmp_path / "commit" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(contents[name])
            return str(tmp_path / "commit")

        names = list(contents)
        monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *_, **__: names)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        return fetched

    monkeypatch.chdir(tmp_path)
    return make


@pytest.mark.parametrize(
    ("source", "revision", "path"),
    [
        ("owner/model", None, "m.ckpt"),
        ("owner/model@v2", "v2", "m.ckpt"),
        ("owner/model/m.ckpt@v2", "v2", "m.ckpt"),
    ],
)
def test_the_weights_of_a_checkpoint_are_fetched_last(tmp_path, hub, source, revision, path):
    fetched = hub({"m.ckpt": "", "m.yaml": "", "vocab.txt": "", "README.md": "", "x.json": ""})
    found = locate(source)
    found.fetch_weights()
    assert fetched == [
        ("owner/model", revision, ["m.yaml", "vocab.txt"]),
        ("owner/model", "commit", [path]),
    ]
    assert found.name.endswith("@commit")


@pytest.mark.parametrize("file", ["*", "?.ckpt", "n.ckpt", "d/m.ckpt"])
def test_a_file_that_the_repository_lacks_is_refused_before_any_download(hub, file):
    fetched = hub({"m.ckpt": "", "m.yaml": ""})
    with pytest.raises(ModelFileError, match=r"'owner/model' has no file '.*Known: m\.ckpt\.$"):
        locate(f"owner/model/{file}")
    assert fetched == []


def test_a_file_name_is_no_pattern(hub):
    fetched = hub({"m[1].ckpt": "", "m1.ckpt": ""})
    locate("owner/model/m[1].ckpt").fetch_weights()
    (pattern,) = fetched[-1][2]
    assert fnmatch.filter(["m[1].ckpt", "m1.ckpt"], pattern) == ["m[1].ckpt"]


INDEX = """{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
"vae": ["diffusers", "AutoencoderKL"], "safety_checker": [null, null],
"scheduler": ["diffusers", "DDIMScheduler"], "tokenizer": ["transformers", "CLIPTokenizer"]}"""


def test_only_weights_that_the_pipeline_names_are_fetched(hub):
    fetched = hub(dict.fromkeys(FILES, "") | {"model_index.json": INDEX})
    locate("owner/model").fetch_weights()
    assert fetched[0][2] == ["model_index.json"]
    assert fetched[1][2] == ["unet/config.json", "vae/config.json"]
    assert fetched[2][2] == [
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.bin",
    ]


def test_parts_that_a_plugin_may_read_are_fetched(hub):
    index = {
        "_class_name": "FluxPipeline",
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "text_encoder_2": ["transformers", "T5EncoderModel"],
        "tokenizer_2": ["transformers", "T5TokenizerFast"],
        "image_encoder": ["transformers", "CLIPVisionModel"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],  # it has no weights
    }
    own = ["text_encoder_2/model.safetensors", "image_encoder/model.safetensors"]
    configs = ["text_encoder_2/config.json", "tokenizer_2/spiece.model"]
    fetched = hub(
        dict.fromkeys([*FILES, *own, *configs], "") | {"model_index.json": json.dumps(index)}
    )
    locate("owner/model").fetch_weights()
    assert set(configs) <= set(fetched[1][2])
    shards = [f"diffusion_pytorch_model-0000{k}-of-00002.safetensors" for k in (1, 2)]
    assert fetched[2][2] == sorted([*own, *(f"transformer/{shard}" for shard in shards)])


def test_only_configurations_that_are_read_are_fetched(hub):
    read = ["unet/config.json", "vae/config.json"]
    read += ["scheduler/scheduler_config.json", "tokenizer/vocab.json"]
    other = ["checkpoint-500/unet/config.json", "safety_checker/config.json", "samples/a.txt"]
    fetched = hub(dict.fromkeys([*FILES, *read, *other], "") | {"model_index.json": INDEX})
    locate("owner/model")
    assert [files for _, _, files in fetched] == [["model_index.json"], sorted(read)]


def test_the_siblings_of_a_checkpoint_are_fetched_from_its_folder(hub):
    fetched = hub(dict.fromkeys(["a.yaml", "x/m.ckpt", "x/m.yaml", "y/m.yaml", "y/vocab.txt"], ""))
    locate("owner/model/x/m.ckpt")
    assert [files for _, _, files in fetched] == [["a.yaml", "x/m.yaml"]]


def test_the_only_checkpoint_may_be_in_a_folder(hub, tmp_path):
    fetched = hub(dict.fromkeys(["a.yaml", "x/m.ckpt", "x/m.yaml", "README.md"], ""))
    found = locate("owner/model")
    found.fetch_weights()
    assert found.path == tmp_path / "commit" / "x"
    assert found.name == "owner/model/x@commit"
    assert fetched[-1][2] == ["x/m.ckpt"]


UNET = {"unet/config.json": "", "unet/diffusion_pytorch_model.safetensors": ""}
PIPELINE = {"model_index.json": '{"unet": ["diffusers", "UNet2DModel"]}', **UNET}


def in_folder(folder, contents):
    return {f"{folder}/{name}": text for name, text in contents.items()}


@pytest.mark.parametrize("source", ["owner/model", "owner/model/sd/v1"])
def test_the_only_pipeline_may_be_in_a_folder(hub, tmp_path, source):
    fetched = hub({"README.md": "", **in_folder("sd/v1", PIPELINE)})
    found = locate(source)
    assert (found.path, found.configured) == (tmp_path / "commit" / "sd" / "v1", True)
    found.fetch_weights()
    assert found.name == "owner/model/sd/v1@commit"
    assert [files for _, _, files in fetched] == [
        ["sd/v1/model_index.json"],
        ["sd/v1/unet/config.json"],
        ["sd/v1/unet/diffusion_pytorch_model.safetensors"],
    ]


def test_the_only_component_may_be_in_a_folder(hub, tmp_path):
    hub({"README.md": "", **UNET})
    assert locate("owner/model").path == tmp_path / "commit" / "unet"


def test_of_several_folders_one_must_be_named(hub):
    hub({**in_folder("a", PIPELINE), **in_folder("b", PIPELINE)})
    with pytest.raises(ModelFileError, match="name one: owner/model/a, owner/model/b"):
        locate("owner/model")
    assert locate("owner/model/b").configured
    with pytest.raises(ModelFileError, match=r"has no file 'c'\. .*Known: a, .*, b"):
        locate("owner/model/c")


def test_a_fetched_model_in_a_folder_is_found_offline(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    snapshot = tmp_path / "models--owner--model" / "snapshots" / ("a" * 40)
    refs = tmp_path / "models--owner--model" / "refs"
    for file in (snapshot / "x" / "model_index.json", refs / "main"):
        file.parent.mkdir(parents=True)
        file.write_text("a" * 40)
    assert locate("owner/model").path == snapshot / "x"


@pytest.mark.parametrize("file", ["model_index.json", "m.ckpt"])
def test_a_folder_whose_models_are_in_folders_is_an_error_that_names_them(tmp_path, file):
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder / file).touch()
    with pytest.raises(ModelFileError, match=r"Name a folder in it: .*/a, .*/b$"):
        open_source(tmp_path, None, {})


def test_a_checkpoint_beside_folders_of_models_is_read(hub, tmp_path):
    hub({"m.ckpt": "", **in_folder("a", {"model_index.json": "{}"})})
    assert locate("owner/model").path == tmp_path / "commit"


def test_a_component_without_weights_is_refused_before_others_are_fetched(hub):
    files = [name for name in FILES if not name.startswith("vae/")]
    fetched = hub(dict.fromkeys([*files, "vae/config.json"], "") | {"model_index.json": INDEX})
    with pytest.raises(ModelFileError, match="'owner/model' has no weights in the folder 'vae'"):
        locate("owner/model")
    assert [files for _, _, files in fetched] == [["model_index.json"]]


def test_a_model_that_cannot_be_imported_is_refused_before_its_weights_are_fetched(
    hub, tmp_path, built_ins
):
    unet = {"_class_name": "UNet2DConditionModel", "addition_embed_type": "image"}
    fetched = hub(
        {
            "model_index.json": INDEX.replace('"vae": ["diffusers", "AutoencoderKL"],', ""),
            "unet/config.json": json.dumps({**unet, "in_channels": 4, "out_channels": 4}),
            "scheduler/scheduler_config.json": "{}",
            "unet/diffusion_pytorch_model.safetensors": "",
        }
    )
    with pytest.raises(InvalidConfigError, match="addition_embed_type"):
        import_model("owner/model", tmp_path / "out", atelier=built_ins)
    assert not any("safetensors" in name for _, _, names in fetched for name in names)
