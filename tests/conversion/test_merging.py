"""A merged model makes the pictures of the view with its LoRAs."""

import pytest
import torch

from latelier import load
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.writing import write_changes
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.conversion.merging import merge_adapters
from latelier.nn.low_rank import LowRank


@pytest.fixture
def model(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def lora(tiny, tmp_path):
    torch.manual_seed(0)
    changes = {
        address: LowRank(
            torch.randn(2, *layer.weight.shape[1:]) * 0.3, torch.randn(len(layer.weight), 2), 1.0
        )
        for address, layer in find_layers(tiny.base_modules()).items()
        if address.endswith(("to_k", "to_qkv"))
    }
    path = tmp_path / "style.safetensors"
    write_changes(path, changes, tiny.base_modules(), "kohya")
    return path


def pixels(pipeline):
    return pipeline.generate(prompt="a red cat", seed=2)[0].image.tobytes()


def test_a_merged_model_makes_the_pictures_of_the_view(model, lora, tmp_path, built_ins):
    view = load(model, "cpu", atelier=built_ins).with_adapter(lora, -0.5)
    folder = merge_adapters(model, [(lora, -0.5)], tmp_path / "merged", atelier=built_ins)
    merged = load(folder, "cpu", atelier=built_ins)
    assert pixels(merged) == pixels(view)
    assert not merged.adapters
    (made,) = merged.card["merged"]
    assert (made["lora"], made["scale"]) == ("style", -0.5)
    assert made["weights_sha256"] == view.adapters["style"].loaded.adapter.weights_sha256


def test_unmerging_gives_the_weights_back(model, lora, tmp_path, built_ins):
    merged = merge_adapters(model, [(lora, 0.5)], tmp_path / "merged", atelier=built_ins)
    back = merge_adapters(merged, [(lora, -0.5)], tmp_path / "back", atelier=built_ins)
    wanted = load(model, "cpu", atelier=built_ins).denoiser.state_dict()
    for name, tensor in load(back, "cpu", atelier=built_ins).denoiser.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-5, atol=1e-6)


def test_loras_of_the_model_are_merged_too(model, lora, tmp_path, built_ins):
    view = load(model, "cpu", atelier=built_ins).with_adapter(lora, 0.5)
    view.save(tmp_path / "view")
    merged = merge_adapters(tmp_path / "view", [], tmp_path / "merged", atelier=built_ins)
    assert pixels(load(merged, "cpu", atelier=built_ins)) == pixels(view)


def test_the_command_prints_the_folder(cli, model, lora, tmp_path):
    done = cli("models", "merge", model, tmp_path / "out", "--adapter", f"{lora}:0.5")
    assert (done.status, done.out.strip()) == (0, str(tmp_path / "out"))
    done = cli("models", "merge", model, tmp_path / "out", "--adapter", f"{lora}:0.5")
    assert done.status == 2
    assert "already exists; --force replaces it" in done.err


def test_nothing_to_merge_is_an_error(model, tmp_path, built_ins):
    with pytest.raises(InvalidInputError, match="expected a LoRA to merge, got none"):
        merge_adapters(model, [], tmp_path / "merged", atelier=built_ins)
    assert not (tmp_path / "merged").exists()


def test_a_lora_of_another_model_leaves_nothing(lora, tmp_path, built_ins):
    with pytest.raises(CompatibilityError, match="LoRA of another model"):
        merge_adapters("emoji-scenes", [(lora, 1.0)], tmp_path / "merged", atelier=built_ins)
    assert not (tmp_path / "merged").exists()


def test_the_source_is_not_replaced(model, lora, built_ins):
    with pytest.raises(InvalidInputError, match="holds the source"):
        merge_adapters(model, [(lora, 1.0)], model, force=True, atelier=built_ins)
