"""LoRAs on the command line."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from latelier import default_atelier, load
from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import LORA_ID, Lora
from latelier.checkpoints.lora.writing import write_changes
from latelier.kernel.registrar import Registrar
from latelier.kernel.registry import Registry
from latelier.nn.low_rank import LowRank
from latelier.provenance.image_files import read_provenance


@pytest.fixture(scope="module")
def lora(tiny_model):
    torch.manual_seed(0)
    layers = find_layers(load(tiny_model, "cpu").base_modules())
    return Lora(
        {
            address: LowRank(
                torch.randn(1, layer.weight[0].numel()), torch.randn(len(layer.weight), 1), 1
            )
            for address, layer in layers.items()
            if address.endswith(("to_q", "to_k"))
        }
    )


@pytest.fixture
def file(tiny_model, lora, tmp_path):
    model = load(tiny_model, "cpu").base_modules()
    write_changes(tmp_path / "style.safetensors", lora.layers, model)
    return tmp_path / "style.safetensors"


@pytest.mark.parametrize(
    ("option", "scale"), [("", 1.0), (":0.5", 0.5), (":-0.5", -0.5), (":scale=0.25", 0.25)]
)
def test_a_file_changes_the_picture(cli, tiny_model, file, tmp_path, option, scale):
    command = ("generate", "a cat", "-m", tiny_model, "--seed", 7)
    done = cli(*command, "--adapter", f"{file}{option}")
    assert (done.status, done.out, done.err) == (0, "latelier-7.png\n", "")
    _, provenance = read_provenance(tmp_path / "latelier-7.png")
    assert provenance["adapters"]["style"]["scale"] == scale
    assert provenance["request"]["inputs"].keys() == {"prompt"}
    assert cli("replay", "latelier-7.png").out == "identical\n"


def test_a_file_is_shown(cli, file, tmp_path):
    done = cli("models", "show", file)
    assert (done.status, done.err) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert (shown["name"], shown["kind"]) == (str(file), "latelier/lora")
    assert shown["use"] == f"--adapter {file}"
    tensors = {"layer.lora_down.weight": torch.ones(2, 4), "layer.lora_up.weight": torch.ones(4, 2)}
    save_file(tensors, tmp_path / "a.safetensors", {"modelspec.title": "a\x1b[1m", "x": "y"})
    about = json.loads(cli("models", "show", "a.safetensors", "--json").out)
    assert about["modelspec.title"] == "a\x1b[1m"
    assert "x" not in about
    assert "\x1b" not in cli("models", "show", "a.safetensors").out


def test_a_file_that_nothing_reads_is_named(cli, tmp_path):
    save_file({"x.oft_blocks": torch.ones(2)}, tmp_path / "a.safetensors")
    done = cli("models", "show", "a.safetensors")
    assert done.status == 2
    assert "holds OFT, which no plugin here reads" in done.err


def test_several_loras_and_adapters_go_together(cli, tiny_model, file, adapter, tmp_path):
    other = shutil.copy(file, tmp_path / "other.safetensors")
    done = cli(
        *("generate", "a cat", "-m", tiny_model, "--seed", 7, "--adapter", f"{file}:0.5"),
        *("--adapter", f"{other}:-0.3", "--adapter", f"{file}:0.1", "--adapter", f"{adapter}:0.7"),
        *("--condition", "colours=[1, 0, 0]"),
    )
    assert done.status == 0, done.err
    _, provenance = read_provenance(tmp_path / "latelier-7.png")
    scales = {name: each["scale"] for name, each in provenance["adapters"].items()}
    assert scales == {"style": 0.5, "other": -0.3, "style_2": 0.1, "colours": 0.7}
    assert cli("replay", "latelier-7.png").out == "identical\n"


def test_a_folder_is_shown_and_verified(cli, tiny_model, lora, tmp_path):
    loaded = LoadedAdapter("sketch", adapter_component(LORA_ID, lora))
    save_adapter(loaded, load(tiny_model, "cpu").base_modules(), tmp_path / "sketch")
    about = json.loads(cli("models", "show", tmp_path / "sketch", "--json").out)
    assert about["standalone_kind"] == "adapter"
    assert about["components"]["adapter"]["id"] == "latelier/lora"
    assert cli("models", "verify", tmp_path / "sketch").status == 0
    command = ("generate", "a cat", "-m", tiny_model, "--adapter", tmp_path / "sketch")
    assert cli(*command).status == 0


def test_a_plugin_registers_a_lora(cli, tiny_model, lora, tmp_path, monkeypatch):
    package = tmp_path / "site" / "sketch_pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    loaded = LoadedAdapter("sketch", adapter_component(LORA_ID, lora))
    save_adapter(loaded, load(tiny_model, "cpu").base_modules(), package / "data")
    monkeypatch.syspath_prepend(tmp_path / "site")
    registrar, registry = Registrar("latelier-sketch", "1.0"), Registry("adapter")
    registrar.adapter("sketchy", folder="sketch_pkg:data")
    registry.add(registrar.specs[0])
    monkeypatch.setattr(default_atelier(), "adapters", registry)
    command = ("generate", "a cat", "-m", tiny_model, "--adapter", "sketchy:0.5", "--json")
    (picture,) = json.loads(cli(*command).out)
    found = picture["provenance"]["adapters"]["sketch"]
    assert (found["source"], found["version"]) == ("latelier-sketch/sketchy", "1.0")
    assert "sketchy (no input)" in " ".join(cli("generate", "--help").out.split())


def test_a_model_saved_with_a_lora_shows_it(cli, tiny_model, file, tmp_path):
    load(tiny_model, "cpu").with_adapter(file, 0.5).save(tmp_path / "view")
    about = json.loads(cli("models", "show", tmp_path / "view", "--json").out)
    assert about["components"]["adapters.style"]["id"] == "latelier/lora"
    assert cli("models", "verify", tmp_path / "view").status == 0


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("{}:input=x", "expected no input: it changes weights"),
        ("{}:nan", "'scale': Input should be a finite number"),
        ("{}:half", "expected name:key=value"),
        ("{}x", "there is no such path"),
        ("style", "style.safetensors'?"),
        ("./style:0.5", "style.safetensors'?"),
    ],
)
def test_errors_come_before_the_model_is_loaded(cli, tiny_model, file, tmp_path, option, says):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "denoiser.safetensors").unlink()
    done = cli("generate", "a cat", "-m", model, "--adapter", option.format(file))
    assert done.status == 2
    assert says in done.err


def test_a_lora_of_another_model_is_refused(cli, file, tmp_path):
    done = cli("generate", "a cat", "--adapter", file, "--steps", 1)
    assert done.status == 2
    assert "is a LoRA of another model" in done.err
    assert not list(tmp_path.glob("*.png"))
