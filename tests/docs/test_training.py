"""The configurations, kinds and fields of docs/training.md are those of the package."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from safetensors.torch import load_file

from latelier.contracts.frozen import validate
from latelier.diffusion.processes.kinds import process_from
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.loss import WeightConfig
from latelier.training.configs.noise import NoiseConfig
from latelier.training.loop.folder.config import MAY_CHANGE
from latelier.training.prediction.densities import default_noise

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "training.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_documented_configurations_are_valid(block):
    validate(DenoiserTraining, yaml.safe_load(block), "docs/training.md")


def test_an_objective_of_one_s_own_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    values: dict[str, Any] = {}
    exec(compile(code, "docs/training.md", "exec"), values)
    weights = load_file(values["result"] / "weights.safetensors")
    trained = values["plan"].objective.trained.state_dict()
    assert {name: each.shape for name, each in weights.items()} == {
        name: each.shape for name, each in trained.items()
    }


def test_the_documented_mixture_is_the_default_of_flows():
    (block,) = [each for each in BLOCKS if "mixture" in each]
    config = validate(DenoiserTraining, yaml.safe_load(block), "docs/training.md")
    assert config.noise == default_noise(process_from({"kind": "rectified_flow"}))


@pytest.mark.parametrize(
    ("heading", "union"), [("noise.kind", NoiseConfig), ("loss.weight.kind", WeightConfig)]
)
def test_the_tables_have_every_kind(heading, union):
    table = PAGE.partition(f"| `{heading}` |")[2].partition("\n\n")[0]
    models = get_args(get_args(union)[0])
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == {
        model.model_fields["kind"].default for model in models
    }


def test_the_fields_are_those_of_the_package(import_tool):
    tool = import_tool("write_training_fields")
    assert tool.replace_tables(PAGE) == PAGE, "run tools/write_training_fields.py"


@pytest.mark.parametrize("name", ["precision", "channels_last", "compile", "ema"])
def test_only_the_fields_of_a_kind_name_it(name):
    (row,) = re.findall(rf"^\| `{name}` \|.*", PAGE, re.MULTILINE)
    assert "constant:" not in row
    assert "| `schedule.warmup` | 500 | constant: steps" in PAGE


def test_the_page_has_every_recipe():
    table = PAGE.partition("| recipe |")[2].partition("\n\n")[0]
    recipes = {path.name for path in (ROOT / "configs" / "recipes").glob("*.yaml")}
    assert set(re.findall(r"`([\w-]+\.yaml)`", table)) == recipes


def test_the_fields_that_a_resumed_run_may_change_are_named():
    (text,) = re.findall(r"A resumed run may change(.*?)\n\n", PAGE, re.DOTALL)
    for name in ("steps", "workers", "devices", "accumulate", "keep", "faults"):
        assert f"`{name}`" in text
        assert name in MAY_CHANGE
