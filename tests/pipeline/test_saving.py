"""Pipelines on disk: the same bits come back, what is damaged is refused, and nothing can run."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latelier.contracts.errors import CompatibilityError, InvalidConfigError, ModelFileError
from latelier.nn.stored_weights import StoredWeight
from latelier.pipeline import load
from latelier.pipeline.storage.manifest_header import MANIFEST

REQUEST = {"prompt": "a red cat in a meadow", "label": "cat", "seed": 5, "n": 2}


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    tiny.save(path)
    return path


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the saved pipeline that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "model"))


def pixels(pipeline):
    return [picture.image.tobytes() for picture in pipeline.generate(**REQUEST)]


def test_a_saved_pipeline_gives_the_same_bits(tiny, folder, built_ins):
    loaded = load(folder, "cpu", atelier=built_ins)
    assert pixels(loaded) == pixels(tiny)
    assert loaded.defaults == tiny.defaults
    assert loaded.inputs == tiny.inputs
    assert loaded.process == tiny.process
    assert loaded.source.name == str(folder)
    assert not any(p.requires_grad for p in loaded.denoiser.parameters())


def test_saving_again_writes_the_same_files(folder, tmp_path, built_ins):
    load(folder, "cpu", atelier=built_ins).save(tmp_path)
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(path.name for path in tmp_path.iterdir())
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_a_model_stays_in_its_precision_whatever_it_is_loaded_in(tiny, tmp_path, built_ins):
    tiny.converted("float16").save(tmp_path / "half")
    (tmp_path / "again").mkdir()
    load(tmp_path / "half", "cpu", "float32", atelier=built_ins).save(tmp_path / "again")
    for file in (tmp_path / "half").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_weights_are_shared_with_the_file_until_layers_pack_them(tiny, tmp_path, built_ins):
    tiny.converted("float16").save(tmp_path)
    pipeline = load(tmp_path, "cpu", "float32", atelier=built_ins)
    for name in ("first_stage", "denoiser", "conditioners.text"):
        component = pipeline.components()[name]
        layers = [each for each in component.stored.modules() if isinstance(each, StoredWeight)]
        own = {id(each) for each in component.module.parameters()}
        assert layers
        assert all(id(layer.weight) in own for layer in layers)
    assert pixels(pipeline) == pixels(tiny.converted("float16").converted("float32"))


def test_a_pipeline_may_be_saved_over_the_files_that_it_is_mapped_from(copy, built_ins):
    loaded = load(copy, "cpu", atelier=built_ins)
    before = pixels(loaded)
    loaded.save(copy)
    assert pixels(loaded) == before == pixels(load(copy, "cpu", atelier=built_ins))
    assert not list(copy.glob(".*"))


def test_loading_converts_to_a_lower_precision(folder, built_ins):
    half = load(folder, "cpu", "bfloat16", atelier=built_ins)
    norms = [p for p in half.denoiser.parameters() if p.ndim == 1]  # packed weights are shared
    assert {p.dtype for p in norms} == {torch.bfloat16}
    assert len(half.generate(**REQUEST)) == 2


def test_the_manifest_stores_full_ids_versions_and_hashes(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["denoiser"]["id"] == "latelier/unet"
    assert manifest["conditioners"]["text"]["assets"]["vocabulary.model"]["sha256"]
    assert len(manifest["denoiser"]["weights"]["sha256"]) == 64
    assert manifest["inputs"] == {"prompt": ["text"], "label": ["label"]}


def change(folder, what):
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    what(manifest)
    path.write_text(json.dumps(manifest))


CASES = {
    "later format": (
        lambda m: m.update(format=2),
        ModelFileError,
        "format 2 is of a later latelier: pip install --upgrade latelier",
    ),
    "unknown field": (lambda m: m.update(code="evil:run"), ModelFileError, "no field 'code'"),
    "no denoiser": (lambda m: m.pop("denoiser"), ModelFileError, "'denoiser' is required"),
    "plugin not installed": (
        lambda m: m["conditioners"]["text"].update(id="latelier-clip/clip", version="0.4"),
        ModelFileError,
        "needs the conditioner 'latelier-clip/clip': pip install 'latelier-clip>=0.4'",
    ),
    "component of a later version": (
        lambda m: m["denoiser"].update(id="latelier/dit", version="7.0"),
        ModelFileError,
        "the denoiser 'latelier/dit': pip install --upgrade 'latelier>=7.0'",
    ),
    "import string for an id": (
        lambda m: m["denoiser"].update(id="os:system"),
        ModelFileError,
        "needs the denoiser 'os:system'",
    ),
    "configuration": (
        lambda m: m["denoiser"]["config"].update(model_channel=8),
        InvalidConfigError,
        "'model_channel'. Did you mean 'model_channels'",
    ),
    "parts that do not fit": (
        lambda m: m["conditioners"]["label"]["config"].update(width=9),
        CompatibilityError,
        "a vector part of width 9, the denoiser takes 8",
    ),
    "weights of another shape": (
        lambda m: m["denoiser"]["config"].update(num_res_blocks=2),
        ModelFileError,
        "the weights do not fit this configuration: .*missing",
    ),
    "path outside": (
        lambda m: m["denoiser"]["weights"].update(path="../denoiser.safetensors"),
        ModelFileError,
        "outside the folder",
    ),
    "asset outside": (
        lambda m: m["conditioners"]["text"]["assets"]["vocabulary.model"].update(path="/x"),
        ModelFileError,
        "outside the folder",
    ),
    "hash": (
        lambda m: m["first_stage"]["weights"].update(sha256="0" * 64),
        ModelFileError,
        "first_stage.safetensors: its SHA-256 is .* the manifest says 000000000000",
    ),
    "unknown process": (lambda m: m["process"].update(kind="x"), ModelFileError, "'process'"),
    "defaults": (lambda m: m["defaults"].update(steps=0), ModelFileError, "'defaults.steps'"),
}


@pytest.mark.parametrize(("what", "error", "message"), CASES.values(), ids=CASES.keys())
def test_an_invalid_manifest_is_an_error(copy, built_ins, what, error, message):
    change(copy, what)
    with pytest.raises(error, match=message):
        load(copy, "cpu", atelier=built_ins)


@pytest.mark.parametrize("name", ["denoiser.safetensors", "conditioner.text.vocabulary.model"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_a_damaged_file_is_an_error(copy, built_ins, name, damage):
    path = copy / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "truncated" else bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(ModelFileError, match=name):
        load(copy, "cpu", atelier=built_ins)


def test_a_pickle_named_as_weights_is_refused(copy, built_ins):
    """Even with the right hash, it is not read as anything but safetensors."""
    import hashlib

    marker = copy / "ran"
    payload = pickle.dumps(Payload(marker))
    (copy / "denoiser.safetensors").write_bytes(payload)
    sha256 = hashlib.sha256(payload).hexdigest()
    change(copy, lambda m: m["denoiser"]["weights"].update(sha256=sha256))
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        load(copy, "cpu", atelier=built_ins)
    assert not marker.exists()


def test_an_interrupted_save_leaves_no_pipeline(tiny, tmp_path, built_ins, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("latelier.pipeline.saving.write_json", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny.save(tmp_path)
    with pytest.raises(ModelFileError, match=r"latelier\.json: not found"):
        load(tmp_path, "cpu", atelier=built_ins)


class Payload:
    """Unpickling it writes a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (exec, (f"open({self.marker!r}, 'w').close()",))


WATCHED = """
import sys
from latelier.pipeline import load

folder, clean = sys.argv[1:]
keywords = {"prompt": "a cat", "label": 0, "steps": 1, "seed": 1, "size": 8}
load(clean, "cpu").generate(**keywords)  # whatever is imported when first used is imported now
seen = []

def watch(event, arguments):
    loud = ("import", "exec", "compile", "os.system", "os.exec", "os.spawn", "os.posix_spawn")
    if event in loud or event.startswith(("subprocess", "socket", "pickle", "marshal", "ctypes")):
        seen.append((event, str(arguments)[:200]))

sys.addaudithook(watch)
load(folder, "cpu").generate(**keywords)
print(seen)
"""


def test_no_code_in_a_model_folder_runs(copy, folder, monkeypatch):
    marker = copy / "ran"
    code = f"open({str(marker)!r}, 'w').close()"
    for name in ("__init__.py", "setup.py", "conftest.py", "unet.py", "sitecustomize.py", "x.pth"):
        (copy / name).write_text(code)
    for name in ("pytorch_model.bin", "model.ckpt", "denoiser.pt", "data.pkl"):
        (copy / name).write_bytes(pickle.dumps(Payload(marker)))
    (copy / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "unet.UNet"}}))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(copy), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert not marker.exists()
