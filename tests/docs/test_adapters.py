"""The configuration, table and code of docs/adapters.md agree with the package."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

import latelier
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.writing import write_changes
from latelier.checkpoints.manifests import AdapterManifest
from latelier.nn.low_rank import create_low_rank
from latelier.training.configs.adapter import AdapterTraining

PAGE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_documented_configuration_is_valid():
    block, _ = blocks("yaml")
    config = AdapterTraining.model_validate(yaml.safe_load(block))
    assert config.projection is None
    assert config.inputs["prompt"].drop == config.conditioner.drop == config.drop_all == 0.05


def test_the_table_has_every_field_of_the_format():
    table = PAGE.partition("| field |")[2].partition("\n\n")[0]
    named = {
        name
        for row in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(AdapterManifest.model_fields)


def test_the_documented_registration_works():
    from latelier.kernel.registrar import Registrar

    names = {}
    [block] = [block for block in blocks("python") if "latelier_register" in block]
    exec("import latelier\n" + block, names)
    registrar = Registrar("latelier-palette", "1")
    names["latelier_register"](None, registrar)
    [spec] = registrar.specs
    assert (spec.kind, spec.id) == ("adapter", "latelier-palette/palette")


@pytest.fixture
def style(tmp_path, monkeypatch):
    """A LoRA for the embedded model in the working folder."""
    monkeypatch.chdir(tmp_path)
    model = latelier.load("emoji-scenes", "cpu").base_modules()
    torch.manual_seed(0)
    changes = {
        address: create_low_rank(layer, 2, 2.0)
        for address, layer in find_layers(model).items()
        if address.endswith("to_q")
    }
    for change in changes.values():
        torch.nn.init.normal_(change.up, std=0.1)
    write_changes(tmp_path / "style.safetensors", changes, model)


def test_the_documented_view_makes_a_picture(style):
    [block] = [block for block in blocks("python") if "style.safetensors" in block]
    names = {"latelier": latelier}
    exec(block.replace("seed=7", "seed=7, steps=2"), names)
    assert names["picture"].provenance["adapters"]["style"]["scale"] == 0.8


def test_the_documented_merge_is_done(style, cli, tmp_path):
    [block] = [block for block in blocks("console") if "models merge" in block]
    command, said = block.removeprefix("$ latelier ").strip().split("\n")
    assert cli(*command.split()).out.strip() == said
    merged = latelier.load(tmp_path / "merged", "cpu")
    assert merged.card["merged"][0]["lora"] == "style"


def test_the_documented_lora_is_trained(cli, tmp_path):
    """The configuration with two steps, on two pictures."""
    [_, block] = blocks("yaml")
    short = block.replace("steps: 600", "steps: 2").replace("batch_size: 16", "batch_size: 1")
    (tmp_path / "ink.yaml").write_text(f"{short}\naccelerator: cpu\nvalidation: {{samples: 1}}\n")
    (tmp_path / "pictures").mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (64, 64), "navy").save(tmp_path / "pictures" / f"{name}.png")
        (tmp_path / "pictures" / f"{name}.txt").write_text(f"picture {name}")
    assert cli("train", "lora", "ink.yaml").out == "runs/ink/result\n"
    done = cli("generate", "a cat", "--adapter", "runs/ink/result", "--steps", 1, "--seed", 1)
    assert (done.status, done.out) == (0, "latelier-1.png\n")
