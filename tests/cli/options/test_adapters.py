"""Adapters on the command line."""

import json
import shutil

import pytest

from latelier import default_atelier, load
from latelier.kernel.registry import Registry
from latelier.provenance.image_files import read_provenance


@pytest.mark.parametrize("options", ["scale=0.5,start=0.25,end=0.75", "0.5,end=0.75,start=0.25"])
def test_an_adapter_adds_its_condition(cli, tiny_model, adapter, tmp_path, options):
    command = ("generate", "a cat", "-m", tiny_model, "--seed", 7, "--condition")
    done = cli(*command, "colours=[1, 0, 0]", "--adapter", f"{adapter}:{options}")
    assert (done.status, done.out, done.err) == (0, "latelier-7.png\n", "")
    _, provenance = read_provenance(tmp_path / "latelier-7.png")
    used = provenance["adapters"]["colours"]
    assert (used["scale"], used["start"], used["end"]) == (0.5, 0.25, 0.75)
    assert provenance["request"]["inputs"]["colours"] == [[[1.0, 0.0, 0.0]]]
    assert cli("replay", "latelier-7.png").out == "identical\n"


def test_several_adapters_may_rename_their_inputs(cli, tiny_model, adapter, tmp_path):
    done = cli(
        *("generate", "a cat", "-m", tiny_model, "--seed", 7),
        *("--adapter", adapter, "--adapter", f"{adapter}:input=accents,scale=0.2"),
        *("--condition", "colours=[1, 0, 0]", "--condition", "accents=[0, 1, 0]"),
    )
    assert done.status == 0, done.err
    _, provenance = read_provenance(tmp_path / "latelier-7.png")
    scales = {name: each["scale"] for name, each in provenance["adapters"].items()}
    assert scales == {"colours": 1.0, "accents": 0.2}


def test_a_registered_adapter_is_found_by_name(cli, tiny_model, registered):
    command = ("generate", "a cat", "-m", tiny_model, "--seed", 7)
    done = cli(*command, "--adapter", "paint", "--condition", "colours=[1, 0, 0]", "--json")
    (picture,) = json.loads(done.out)
    assert picture["provenance"]["adapters"]["colours"]["source"] == "latelier-paint/paint"


def test_the_help_lists_registered_adapters_and_their_inputs(cli, registered):
    message = " ".join(cli("generate", "--help").out.split())
    assert "Adapters: paint colours: list of list of number; one vector or several" in message


def test_the_help_reports_an_unreadable_adapter(cli, registered, tmp_path):
    (tmp_path / "site" / "paint_pkg" / "data" / "adapter.json").write_text("{}")
    done = cli("generate", "--help")
    assert done.status == 0
    assert "the field 'name' is required" in " ".join(done.out.split())


def test_the_help_has_no_section_without_adapters(cli, monkeypatch):
    monkeypatch.setattr(default_atelier(), "adapters", Registry("adapter"))
    assert "Adapters:" not in cli("generate", "--help").out


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("pant", "there is no adapter 'pant'. Did you mean 'paint'?"),
        ("paint:scal=1", "--adapter paint: there is no field 'scal'. Did you mean 'scale'?"),
        ("paint:scale=-1", "--adapter paint: 'scale': expected 0 or more, got -1"),
        ("paint:end=2", "--adapter paint: 'end': Input should be less than or equal to 1"),
        (
            "paint:start=0.8,end=0.2",
            "--adapter paint: expected a start before the end, got 0.8 and 0.2",
        ),
        ("paint:scale", "--adapter: expected name:key=value,key=value, got 'paint:scale'"),
        ("paint:input=", "--adapter paint: 'input': String should have at least 1 character"),
        ("paint:input=prompt", "this model already has an input 'prompt'; rename the adapter's"),
    ],
)
def test_errors_come_before_the_model_is_loaded(
    cli, registered, tiny_model, tmp_path, option, says
):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "denoiser.safetensors").unlink()
    done = cli("generate", "a cat", "-m", model, "--adapter", option)
    assert done.status == 2
    assert says in done.err


def test_a_duplicate_input_name_is_an_error(cli, tiny_model, adapter):
    done = cli("generate", "a cat", "-m", tiny_model, "--adapter", adapter, "--adapter", adapter)
    assert "--adapter: two adapters add the input 'colours'" in done.err


def test_an_invalid_input_value_is_an_error(cli, tiny_model, adapter):
    command = ("generate", "a cat", "-m", tiny_model, "--adapter", adapter, "--condition")
    assert "input 'colours': 'vectors'" in cli(*command, "colours=red").err


def test_a_file_in_place_of_a_folder_is_an_error(cli, tiny_model, adapter):
    file = adapter / "adapter.safetensors"
    done = cli("generate", "a cat", "-m", tiny_model, "--adapter", file)
    assert "an adapter is named by its folder" in done.err


def test_a_saved_model_shows_its_adapter(cli, tiny_model, adapter, tmp_path):
    load(tiny_model, "cpu").with_adapter(adapter, 0.5).save(tmp_path / "view")
    about = json.loads(cli("models", "show", tmp_path / "view", "--json").out)
    assert about["inputs"]["colours"]["schema"]["title"] == "Embedding"
    assert "adapters.colours" in about["components"]
    verified = cli("models", "verify", tmp_path / "view")
    assert verified.status == 0
    assert "adapter.colours.adapter.safetensors" in verified.out
    done = cli("generate", "a cat", "-m", tmp_path / "view", "--condition", "colours=[1,0,0]")
    assert done.status == 0, done.err


def test_the_help_lists_the_conditions_of_the_named_model_and_adapters(cli, tiny_model, adapter):
    done = cli("generate", "-m", tiny_model, "--adapter", f"{adapter}:scale=0.5", "--help")
    assert done.status == 0, done.err
    conditions, _, adapters = done.out.partition("Conditions of")[2].partition("Adapters:")
    assert "class_label" in conditions
    assert "colours: " in " ".join(adapters.split())
    assert "the model's, 2 for" in " ".join(done.out.split())
    done = cli("generate", "-m", "nowhere", "--adapter", "nothing", "--help")
    assert done.status == 0
    assert "The conditions of nowhere cannot be listed" in done.out
    assert "no adapter 'nothing'" in " ".join(done.out.split())


def test_a_moved_adapter_is_named_for_a_replay(cli, tiny_model, adapter):
    command = ("generate", "a cat", "-m", tiny_model, "--adapter", adapter, "--seed", 7)
    assert cli(*command, "--condition", "colours=[1, 0, 0]").status == 0
    adapter.rename(adapter.with_name("moved"))
    done = cli("replay", "latelier-7.png")
    assert done.status == 2
    assert "--adapter colours=PATH" in done.err
    assert cli("replay", "latelier-7.png", "--adapter", "colours=moved").out == "identical\n"
    for wrong in ("colours", "=moved", "colours="):
        assert "is not NAME=PATH" in cli("replay", "latelier-7.png", "--adapter", wrong).err


def test_a_forgotten_condition_is_said(cli, tiny_model, adapter):
    done = cli("generate", "a cat", "-m", tiny_model, "--adapter", adapter)
    assert done.status == 0
    assert "the adapter 'colours' has no effect: its input 'colours' is missing" in done.err


def test_an_adapter_is_shown_with_its_input(cli, adapter):
    out = cli("models", "show", adapter).out
    assert out.startswith(f"{adapter} is not a model: it holds an adapter alone\n")
    assert "\ninput  colours\n" in out


def test_a_saved_view_is_shown_with_its_scales(cli, tiny_model, adapter, tmp_path):
    load(tiny_model, "cpu").with_adapter(adapter, 0.5, end=0.7).save(tmp_path / "view")
    out = cli("models", "show", tmp_path / "view").out
    assert (
        f"adapter colours\n  scale   0.5\n  start   0.0\n  end     0.7\n  source  {adapter}" in out
    )
