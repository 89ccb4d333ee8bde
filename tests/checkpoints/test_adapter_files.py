"""Files that hold an adapter alone: which kind reads them, and files that are none."""

import json

import pytest
import torch
from safetensors.torch import save_file

from latelier.checkpoints.adapter_files import read_adapter_file
from latelier.checkpoints.lora.lora import Lora
from latelier.contracts.errors import CompatibilityError, ModelFileError
from latelier.io.hashing import sha256_of
from latelier.kernel.atelier import Atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.trust.policy import Policy
from latelier.pipeline.adapters import find_adapter

from .lora.conftest import draw_lora, model_of, modules_of, write_lora

NAME = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"

__all__ = ["model_of"]


@pytest.fixture
def read(model_of, built_ins):
    model = modules_of(model_of("conditioned unet"))
    return lambda path: read_adapter_file(path, model, built_ins)


def tensors(**changes):
    return {
        f"{NAME}.lora_A.weight": torch.ones(2, 16),
        f"{NAME}.lora_B.weight": torch.ones(32, 2),
        **changes,
    }


def write(path, tensors):
    save_file(tensors, path)
    return path


def test_a_lora_is_recognized(read, model_of, tmp_path):
    components = model_of("conditioned unet")
    path = tmp_path / "2 my style.v1.safetensors"
    sha256 = write_lora(path, draw_lora(components), components, "kohya")
    loaded = read(path)
    assert (loaded.name, loaded.conditioner) == ("adapter_2_my_style_v1", None)
    assert (loaded.adapter.id, loaded.adapter.weights_sha256) == ("latelier/lora", sha256)
    assert loaded.changes_weights


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lora_unet_x.hada_w1_a", "LoHa"),
        ("lora_unet_x.lokr_w1", "LoKr"),
        ("lora_unet_x.dora_scale", "DoRA"),
        ("unet.x.lora_magnitude_vector", "DoRA"),
        ("lora_unet_x.oft_blocks", "OFT"),
        ("base_model.model.x.oft_r", "OFT"),
        ("base_model.model.x.boft_R", "BOFT"),
        ("lora_unet_x.diff", "whole differences"),
        ("emb_params", "embeddings"),
        ("bundle_emb.cat.clip_l", "embeddings"),
    ],
)
def test_other_kinds_and_the_plugins_that_read_them_are_named(read, tmp_path, name, kind):
    path = write(tmp_path / "a.safetensors", tensors(**{name: torch.ones(2)}))
    plugin = "latelier-transformers" if kind == "embeddings" else "latelier-addons"
    reason = "no plugin here" if kind in ("OFT", "BOFT") else f"the plugin {plugin} reads: pip inst"
    with pytest.raises(ModelFileError, match=rf"a\.safetensors: holds {kind}, which {reason}"):
        read(path)


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".safetensors"])
def test_a_pickle_is_read_in_a_sandbox(read, tmp_path, suffix):
    path = tmp_path / f"style{suffix}"
    torch.save(tensors(), path)
    loaded = read(path)
    assert (loaded.name, loaded.adapter.id) == ("style", "latelier/lora")
    assert loaded.adapter.weights_sha256 == sha256_of(path)


def test_an_error_names_the_pickle_and_not_its_copy(read, tmp_path):
    path = tmp_path / "style.pt"
    torch.save(tensors(**{f"{NAME}.lora_A.weight": torch.ones(2, 17)}), path)
    with pytest.raises(CompatibilityError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: is a LoRA of another model")


@pytest.mark.parametrize(
    "name",
    ["adapter_model.safetensors", "adapter_model.bin", "pytorch_lora_weights.safetensors"],
)
def test_a_folder_of_peft_or_diffusers_is_its_file_of_weights(read, built_ins, tmp_path, name):
    folder = tmp_path / "my style"
    folder.mkdir()
    file = folder / name
    (torch.save if name.endswith(".bin") else save_file)(tensors(), file)
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": 8}))
    source, manifest = find_adapter(folder, built_ins)
    assert (source.path, source.name, manifest) == (file, str(folder), None)
    loaded = read(source.path)
    assert loaded.name == "my_style"
    (change,) = loaded.adapter.module.changes.values()
    alpha = 8 if name.startswith("adapter_model") else 2  # of peft's configuration, or the rank
    assert change.difference(torch.zeros(32, 16)).unique().tolist() == [alpha]


def test_a_folder_without_known_weights_is_no_adapter(built_ins, tmp_path):
    write(tmp_path / "other.safetensors", tensors())
    with pytest.raises(ModelFileError, match=r"is not an adapter: it holds no adapter\.json"):
        find_adapter(tmp_path, built_ins)


def test_a_pickle_that_runs_code_is_refused(read, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"a": Hostile()}, tmp_path / "a.pt")
    with pytest.raises(ModelFileError, match=r"a\.pt: "):
        read(tmp_path / "a.pt")


class Twin(Lora):
    """A kind of adapter that recognizes what LoRA does."""


class TwinPlugin:
    @hookimpl
    def latelier_register(self, registrar):
        config = "latelier.checkpoints.lora.configs:LoraConfig"
        registrar.adapter_kind("twin", factory=f"{__name__}:Twin", config=config)


def test_a_file_that_two_kinds_recognize_is_refused(model_of, tmp_path):
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(TwinPlugin(), "latelier-twin", "1.0")
    path = write(tmp_path / "a.safetensors", tensors())
    both = "several plugins read it: latelier-twin/twin and latelier/lora"
    with pytest.raises(ModelFileError, match=rf"a\.safetensors: {both}"):
        read_adapter_file(path, modules_of(model_of("conditioned unet")), atelier)


def test_a_damaged_file_is_refused(read, tmp_path):
    path = write(tmp_path / "a.safetensors", tensors())
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelFileError, match="damaged or not a safetensors file"):
        read(path)


def test_a_missing_file_is_an_error(read, tmp_path):
    with pytest.raises(ModelFileError, match="not found"):
        read(tmp_path / "a.safetensors")
