"""Components on disk: round trips, and everything that can be wrong with one."""

import json
import shutil

import pytest
import torch
from pydantic import create_model
from torch import nn

from latelier import hookimpl
from latelier.checkpoints.component import (
    Component,
    load_component,
    new_component,
    save_component,
)
from latelier.checkpoints.manifests import COMPONENT_FILE
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.nn.stored_weights import find_compute_dtype

VAE = {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4, "attn_type": "none"}


@pytest.fixture
def saved(tmp_path, built_ins):
    """A folder that holds an autoencoder, and the component itself."""
    component = new_component("first_stage", "autoencoder_kl", VAE, built_ins)
    save_component(tmp_path / "vae", component)
    return tmp_path / "vae", component


def test_a_saved_component_is_loaded_unchanged(saved, built_ins):
    folder, component = saved
    again = load_component(folder, "first_stage", built_ins)
    assert (again.kind, again.id) == ("first_stage", "latelier/autoencoder_kl")
    assert again.config == component.config
    assert again.config_sha256 == component.config_sha256
    state = again.module.state_dict()
    for name, tensor in component.module.state_dict().items():
        assert torch.equal(state[name], tensor)
    assert not again.module.training
    assert not any(parameter.requires_grad for parameter in again.module.parameters())


def test_a_loaded_component_has_the_hash_of_its_file(saved, built_ins):
    folder, component = saved
    stored = json.loads((folder / COMPONENT_FILE).read_text())
    again = load_component(folder, "first_stage", built_ins)
    assert again.weights_sha256 == stored["weights"]["sha256"]
    assert component.weights_sha256 is None


def test_the_configuration_hash_depends_on_values_only(built_ins):
    registry = built_ins.first_stages
    one = registry.validate_config("autoencoder_kl", VAE)
    other = registry.validate_config("autoencoder_kl", dict(reversed(VAE.items())))
    changed = registry.validate_config("autoencoder_kl", {**VAE, "scale_factor": 2.0})
    hashes = [
        Component("first_stage", "x/y", "1", nn_with(config)).config_sha256
        for config in (one, other, changed)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_field_that_a_later_version_adds_leaves_the_hash(built_ins):
    config = built_ins.first_stages.validate_config("autoencoder_kl", VAE)
    later = create_model("Later", __base__=type(config), field=(int, 0))
    hashes = [
        Component("first_stage", "x/y", "1", nn_with(each)).config_sha256
        for each in (config, later(**VAE), later(**VAE, field=1))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


class View(nn.Module):
    """A view of a module, as an adapter makes it."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def test_a_view_of_a_copy_is_stored_as_one_of_what_was_copied(saved):
    _, component = saved
    half = component.to(torch.device("cpu"), torch.bfloat16)
    assert half.with_view(lambda module: module) is half
    view = half.with_view(View)
    assert (view.module.module, view.stored.module) == (half.module, component.module)
    plain = component.with_view(View)
    assert plain.module is plain.stored
    with torch.no_grad():
        next(half.module.parameters()).add_(1)  # it was trained: the copy is what is stored
    assert half.with_view(View).stored.module is half.module


def nn_with(config):
    module = nn.Module()
    module.config = config
    return module


def test_a_component_of_another_kind_is_refused(saved, built_ins):
    with pytest.raises(ModelFileError, match="expected a denoiser, got a first_stage"):
        load_component(saved[0], "denoiser", built_ins)


def change_json(folder, change):
    path = folder / COMPONENT_FILE
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))


@pytest.mark.parametrize("path", ["../vae/first_stage.safetensors", "/etc/passwd", "a/../../b"])
def test_paths_outside_the_folder_are_refused(saved, built_ins, path):
    change_json(saved[0], lambda stored: stored["weights"].update(path=path))
    with pytest.raises(ModelFileError, match="outside the folder"):
        load_component(saved[0], "first_stage", built_ins)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda s: s.update(id="latelier-swatches/palette", version="2.1"),
            ModelFileError,
            r"the first stage 'latelier-swatches/palette': pip install 'latelier-swatches>=2\.1'",
        ),
        (
            lambda s: s.update(id="latelier/autoencoder_of_tomorrow", version="9.0"),
            ModelFileError,
            "'latelier/autoencoder_of_tomorrow': pip install --upgrade 'latelier>=9.0'",
        ),
        (lambda s: s["config"].update(channels=3), InvalidConfigError, "no field 'channels'"),
        (lambda s: s["config"].update(ch=16), ModelFileError, "weights do not fit this config"),
        (lambda s: s.pop("id"), ModelFileError, "the field 'id' is required"),
        (lambda s: s.update(kind="sampler2"), ModelFileError, "'kind'"),
        (lambda s: s.update(code="evil.py"), ModelFileError, "there is no field 'code'"),
        (lambda s: s["weights"].pop("sha256"), ModelFileError, "'weights.sha256' is required"),
        (
            lambda s: s.update(assets={"a": s["weights"]}),
            ModelFileError,
            "takes no assets",
        ),
    ],
)
def test_an_invalid_component_file_is_an_error(saved, built_ins, change, error, message):
    change_json(saved[0], change)
    with pytest.raises(error, match=message):
        load_component(saved[0], "first_stage", built_ins)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": NaN', "[" * 100_000, "\x00\xff"])
def test_a_component_file_that_is_not_json_is_an_error(saved, built_ins, text):
    (saved[0] / COMPONENT_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelFileError, match=r"component\.json: (cannot be read as JSON|expected)"):
        load_component(saved[0], "first_stage", built_ins)


def weights_of(folder):
    return folder / "first_stage.safetensors"


def flip_a_byte(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "a flipped bit in the data": lambda path: flip_a_byte(path, -1),
    "a flipped bit in the header": lambda path: flip_a_byte(path, 20),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_weights_are_an_error(saved, built_ins, damage):
    damage(weights_of(saved[0]))
    with pytest.raises(ModelFileError, match=r"first_stage\.safetensors: (its SHA|cannot be read)"):
        load_component(saved[0], "first_stage", built_ins)


def test_a_plugin_that_failed_to_load_is_named(saved, tmp_path, site):
    site.publish("latelier-vae", "1 / 0")
    change_json(saved[0], lambda stored: stored.update(id="latelier-vae/vae"))
    message = (
        "'latelier-vae/vae', and plugin 'latelier-vae:main' is not loaded .import_error.: Zero"
    )
    with pytest.raises(ModelFileError, match=message):
        load_component(saved[0], "first_stage", site.atelier())


def test_an_interrupted_save_leaves_no_component(tmp_path, built_ins, monkeypatch):
    component = new_component("first_stage", "autoencoder_kl", VAE, built_ins)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("latelier.checkpoints.component.write_json", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_component(tmp_path / "new", component)
    with pytest.raises(ModelFileError, match="not found"):
        load_component(tmp_path / "new", "first_stage", built_ins)


def test_moving_to_the_same_device_shares_the_component(saved):
    component = saved[1]
    cpu = torch.device("cpu")
    assert component.to(cpu, torch.float32) is component
    copy = component.to(cpu, torch.bfloat16)
    assert find_compute_dtype(copy.module) == torch.bfloat16
    assert {each.dtype for each in component.module.parameters()} == {torch.float32}
    assert copy.to(cpu, torch.bfloat16) is copy


def test_a_copy_in_another_precision_goes_back_without_loss(saved):
    component = saved[1]
    cpu = torch.device("cpu")
    copy = component.to(cpu, torch.bfloat16).to(cpu, torch.float16).to(cpu, torch.float32)
    assert copy.module is component.module
    assert copy.origin is None


def test_the_stored_precision_is_written_whatever_a_copy_computes_in(saved, tmp_path):
    folder, component = saved
    save_component(tmp_path / "again", component.to(torch.device("cpu"), torch.bfloat16))
    names = ("first_stage.safetensors", COMPONENT_FILE)
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_a_converted_component_is_written_in_its_precision(saved, tmp_path, built_ins):
    component = saved[1]
    save_component(tmp_path / "half", component.converted(torch.float16))
    again = load_component(tmp_path / "half", "first_stage", built_ins)
    for name, tensor in again.module.state_dict().items():
        assert torch.equal(tensor, component.module.state_dict()[name].half())


def test_a_copy_that_was_trained_is_what_is_written(saved, tmp_path, built_ins):
    copy = saved[1].to(torch.device("cpu"), torch.bfloat16)
    with torch.no_grad():
        for parameter in copy.module.parameters():
            parameter.mul_(2)
    save_component(tmp_path / "trained", copy)
    again = load_component(tmp_path / "trained", "first_stage", built_ins)
    for name, tensor in again.module.state_dict().items():
        assert torch.equal(tensor, copy.module.state_dict()[name])


class PaletteConfig(ConditionerConfig):
    def outputs(self):
        return OutputSpec(vector=3)


class PaletteModule(nn.Module):
    """Has no weights, a table, and an asset."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.table = torch.arange(3.0)
        self.names = b""

    def assets(self):
        return {"names.txt": self.names} if self.names else {}

    def set_assets(self, assets):
        self.names = assets["names.txt"]


@pytest.fixture
def palette_atelier():
    class Plugin:
        @hookimpl
        def latelier_register(self, registrar):
            here = f"{__name__}:"
            registrar.conditioner(
                "palette",
                factory=here + "PaletteModule",
                config=here + "PaletteConfig",
                input=here + "PaletteConfig",
            )

    atelier = Atelier(policy=Policy(), candidates=[])
    atelier.register(Plugin(), "latelier-palette", "1.5")
    return atelier


def test_a_component_with_a_file_and_no_weights_round_trips(tmp_path, palette_atelier):
    component = new_component("conditioner", "palette", {}, palette_atelier)
    component.module.names = b"red, green"
    save_component(tmp_path, component)
    again = load_component(tmp_path, "conditioner", palette_atelier)
    assert again.module.names == b"red, green"
    assert again.module.table.tolist() == [0, 1, 2]
    assert again.weights_sha256 is None
    assert again.version == "1.5"
    assert not list(tmp_path.glob("*.safetensors"))
    (tmp_path / "conditioner.names.txt").write_bytes(b"red, blue!")
    with pytest.raises(ModelFileError, match=r"names\.txt: its SHA-256 is"):
        load_component(tmp_path, "conditioner", palette_atelier)


def test_a_folder_can_be_moved(saved, tmp_path, built_ins):
    shutil.move(saved[0], tmp_path / "elsewhere")
    load_component(tmp_path / "elsewhere", "first_stage", built_ins)
