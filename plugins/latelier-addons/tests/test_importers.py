"""What every importer keeps to, by the conformance kit."""

import pytest
import torch
from latelier import import_model
from latelier.checkpoints.importers.stable_diffusion.published import is_stable_diffusion
from latelier.checkpoints.manifests import read_adapter
from latelier.contracts.errors import ModelFileError
from latelier.testing import ImporterContract

from latelier_addons.controlnet.layout import rename


class _Published(ImporterContract):
    @pytest.fixture(autouse=True)
    def plugins(self, atelier):
        self.plugins = atelier

    def atelier(self):
        return self.plugins


class TestControlNet(_Published):
    component = "latelier-addons/controlnet"

    @pytest.fixture(autouse=True)
    def write(self, new_controlnet):
        self.save = new_controlnet("sd").save_pretrained

    def source(self, folder):
        self.save(folder)
        return folder / "diffusion_pytorch_model.safetensors"


class TestT2IAdapter(_Published):
    component = "latelier-addons/t2i_adapter"

    def source(self, folder):
        from diffusers import T2IAdapter

        T2IAdapter(channels=[32, 64, 64, 64]).save_pretrained(folder)
        return folder / "diffusion_pytorch_model.safetensors"


def test_what_names_and_options_decide_is_noted(tmp_path, atelier, new_controlnet, write_file):
    tensors = new_controlnet("sd", cross_attention_dim=768).state_dict()
    file = write_file(tensors, "control_v11e_sd15_shuffle.safetensors")
    report = import_model(file, tmp_path / "one", atelier=atelier, guess=True, order="bgr")
    for note in ("averaged over the picture (global_pooling)", "read as bgr", "in guess mode"):
        assert note in "; ".join(report.notes)
    report = import_model(file, tmp_path / "two", atelier=atelier, global_pooling=False)
    assert not any("global_pooling" in note for note in report.notes)


@pytest.mark.parametrize("content", ["{", "[]", '{"_class_name": "UNet", "norm_num_groups": 5}'])
def test_a_config_of_something_else_is_not_read(
    tmp_path, atelier, new_controlnet, write_file, content
):
    tensors = new_controlnet("sd", cross_attention_dim=768).state_dict()
    file = write_file(tensors, "canny.safetensors")
    (file.parent / "config.json").write_text(content)
    import_model(file, tmp_path / "imported", atelier=atelier)
    config = read_adapter(tmp_path / "imported").adapter.config
    assert config["encoder"]["num_groups"] == 32


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("controlnet-canny-sdxl-1.0", "controlnet_canny_sdxl_1_0"),
        ("models--lllyasviel--sd-controlnet-canny/snapshots/7f2f6", "sd_controlnet_canny"),
    ],
)
def test_the_input_has_the_name_of_the_source(tmp_path, atelier, new_controlnet, folder, name):
    new_controlnet("sd").save_pretrained(tmp_path / folder)
    import_model(tmp_path / folder, tmp_path / "imported", atelier=atelier)
    assert read_adapter(tmp_path / "imported").name == name


def test_a_file_with_its_model_is_a_controlnet(tmp_path, atelier, new_controlnet, write_file):
    """As the first ControlNets were published, some with their YAML."""
    own = new_controlnet("sd", cross_attention_dim=768).state_dict()
    own = {rename(own)[name].removeprefix("encoder."): each for name, each in own.items()}
    tensors = {f"control_model.{name}": each for name, each in own.items()}
    tensors |= {
        "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (
            torch.zeros(320, 768)
        ),
        "first_stage_model.decoder.conv_in.weight": torch.zeros(512, 4, 3, 3),
    }
    file = write_file(tensors, "control_sd15_canny.safetensors")
    assert is_stable_diffusion({name: tuple(each.shape) for name, each in tensors.items()})
    report = import_model(file, tmp_path / "one", atelier=atelier)
    assert "the model that the file holds too is left out" in report.notes
    assert report.inputs == ("control_sd15_canny",)
    file.with_suffix(".yaml").write_text("model: {target: cldm.cldm.ControlLDM}")
    assert import_model(file, tmp_path / "two", atelier=atelier).importer == report.importer


@pytest.mark.parametrize("is_folder", [False, True])
def test_one_that_is_not_imported_yet_says_how(tmp_path, atelier, pipe, new_controlnet, is_folder):
    new_controlnet("sd4").save_pretrained(tmp_path)
    source = tmp_path if is_folder else tmp_path / "diffusion_pytorch_model.safetensors"
    message = r"imported first \('latelier-addons/controlnet'\): run `latelier import .* DEST`"
    with pytest.raises(ModelFileError, match=message):
        pipe.with_adapter(source)
