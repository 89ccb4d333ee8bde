"""Files of the LoRA family in the layouts of other programs, and files that are none."""

import logging

import pytest
import torch
from latelier.checkpoints.adapter_files import read_adapter_file
from latelier.checkpoints.lora.layers import find_parameters
from latelier.checkpoints.lora.names import diffusers_layers
from latelier.contracts.errors import CompatibilityError, ModelFileError

from latelier_addons.lycoris.adapter import Lycoris

from .conftest import merged_parameters, modules_of, write

THEIRS = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
OURS = "middle_block.1.transformer_blocks.0.attn2.to_k"
ADDRESS = f"denoiser.{OURS}"


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def loha(outputs=32, inputs=16, rank=2, seed=0):
    return {
        f"hada_w{i}_{side}": draw(*shape, seed=seed + 2 * i + (side == "b"))
        for i in (1, 2)
        for side, shape in (("a", (outputs, rank)), ("b", (rank, inputs)))
    }


def name_parts(layer, parts):
    return {f"{layer}.{part}": tensor for part, tensor in parts.items()}


def product_of(parts):
    return (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])


@pytest.fixture
def model(model_of):
    return model_of()


LAYOUTS = {
    "kohya": "lora_unet_" + THEIRS.replace(".", "_"),
    "kohya, published names": "lora_unet_" + OURS.replace(".", "_"),
    "LyCORIS": "lycoris_" + THEIRS.replace(".", "_"),
    "peft": f"base_model.model.{THEIRS}",
    "diffusers": f"unet.{THEIRS}",
    "ComfyUI and ai-toolkit": f"diffusion_model.{OURS}",
    "no prefix": OURS,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_read(model, tmp_path, layout):
    parts = loha()
    path = write(tmp_path / "a.safetensors", name_parts(LAYOUTS[layout], parts))
    adapter = Lycoris.read(path, modules_of(model))
    assert adapter.changes.keys() == {f"{ADDRESS}.weight"}
    (change,) = adapter.changes.values()
    torch.testing.assert_close(change.difference(torch.zeros(32, 16)), product_of(parts))


def test_all_kinds_of_changes_mix_in_one_file(model, atelier, tmp_path):
    base = find_parameters(modules_of(model))
    block = "middle_block.1.transformer_blocks.0"
    tensors = {
        **name_parts(f"diffusion_model.{block}.attn2.to_k", loha()),
        f"diffusion_model.{block}.attn2.to_q.lora_A.weight": draw(2, 32),
        f"diffusion_model.{block}.attn2.to_q.lora_B.weight": draw(32, 2),
        f"diffusion_model.{block}.attn1.to_q.lora_down.weight": draw(2, 32),
        f"diffusion_model.{block}.attn1.to_q.lora_up.weight": draw(32, 2),
        f"diffusion_model.{block}.attn1.to_q.dora_scale": draw(32, 1).abs(),
        f"diffusion_model.{block}.attn1.to_k.lokr_w1": draw(4, 4),
        f"diffusion_model.{block}.attn1.to_k.lokr_w2": draw(8, 8),
        f"diffusion_model.{block}.norm1.diff": draw(32),
        f"diffusion_model.{block}.norm1.diff_b": draw(32, seed=1),
        f"diffusion_model.{block}.attn1.to_out.0.diff_b": draw(32, seed=2),
    }
    path = write(tmp_path / "mixed.safetensors", tensors)
    loaded = read_adapter_file(path, modules_of(model), atelier)
    assert loaded.adapter.id == "latelier-addons/lycoris"
    assert loaded.adapter.config.forms == {
        "LoHa": 1,
        "LoRA": 2,
        "LoKr": 1,
        "whole difference": 1,
        "bias": 1,
    }
    found = merged_parameters(model, path)
    changed = {address for address in base if not torch.equal(found[address], base[address])}
    start = f"denoiser.{block}"
    assert changed == {
        *(f"{start}.attn2.to_{each}.weight" for each in "kq"),
        *(f"{start}.attn1.to_{each}.weight" for each in "kq"),
        f"{start}.norm1.weight",
        f"{start}.norm1.bias",
        f"{start}.attn1.to_out.0.bias",
    }
    query = found[f"{start}.attn1.to_q.weight"]
    magnitude = tensors[f"diffusion_model.{block}.attn1.to_q.dora_scale"]
    torch.testing.assert_close(query.norm(dim=1, keepdim=True), magnitude)


@pytest.mark.parametrize("ends", [("to_q",), ("to_q", "to_v")])
@pytest.mark.parametrize("name", ["plain unet", "transformer"])
def test_projections_that_diffusers_splits_become_rows_of_one_layer(model_of, tmp_path, name, ends):
    """Each has norms of its own, so the change of a row depends on its projection alone."""
    components = model_of(name)
    denoiser = components["denoiser"].module
    layers = [
        layer
        for layer in diffusers_layers(denoiser, "denoiser")
        if layer.name.endswith(ends) and "qkv" in layer.address
    ]
    assert len(layers) > 1
    base, tensors = find_parameters(modules_of(components)), {}
    for seed, layer in enumerate(layers):
        inputs = base[f"{layer.address}.weight"].shape[1]
        own = f"unet.{layer.name}"
        tensors[f"{own}.lora_A.weight"] = draw(2, inputs, seed=seed)
        tensors[f"{own}.lora_B.weight"] = draw(len(layer.rows), 2, seed=seed + 50)
        tensors[f"{own}.lora_magnitude_vector"] = draw(len(layer.rows), seed=seed + 100).abs()
    found = merged_parameters(components, write(tmp_path / "a.safetensors", tensors))
    touched = {}
    for layer in layers:
        address, own = f"{layer.address}.weight", f"unet.{layer.name}"
        weight = base[address][layer.rows].flatten(1)
        changed = weight + tensors[f"{own}.lora_B.weight"] @ tensors[f"{own}.lora_A.weight"]
        magnitude = tensors[f"{own}.lora_magnitude_vector"][:, None]
        wanted = magnitude * changed / changed.norm(dim=1, keepdim=True)
        torch.testing.assert_close(
            found[address][layer.rows].flatten(1), wanted, rtol=1e-5, atol=1e-5
        )
        touched.setdefault(address, []).append(layer.rows)
    for address, rows in touched.items():
        others = torch.ones(len(base[address]), dtype=torch.bool)
        others[torch.cat(rows)] = False
        assert torch.equal(found[address][others], base[address][others])


def test_an_alpha_of_0_stands_for_the_rank(model, tmp_path):
    parts = {**loha(), "alpha": torch.tensor(0.0)}
    path = write(tmp_path / "a.safetensors", name_parts(LAYOUTS["kohya"], parts))
    (change,) = Lycoris.read(path, modules_of(model)).changes.values()
    torch.testing.assert_close(change.difference(torch.zeros(32, 16)), product_of(parts))


def test_a_decomposed_weight_of_zeros_is_finite(model, tmp_path):
    parts = {**loha(), "hada_w1_b": torch.zeros(2, 16), "dora_scale": draw(32, 1).abs()}
    path = write(tmp_path / "a.safetensors", name_parts(LAYOUTS["kohya"], parts))
    (change,) = Lycoris.read(path, modules_of(model)).changes.values()
    assert not change.difference(torch.zeros(32, 16)).any()


def test_a_file_is_written_as_it_was_read(model, tmp_path):
    tensors = {
        **name_parts(LAYOUTS["peft"], loha()),
        "base_model.model.lost.lokr_w1": draw(2, 2),
        "base_model.model.lost.lokr_w2": draw(2, 2),
    }
    metadata = {"lora_adapter_metadata": '{"alpha": 3, "r": 2}'}
    path = write(tmp_path / "a.safetensors", tensors, metadata)
    adapter = Lycoris.read(path, modules_of(model))
    adapter.write(tmp_path / "b.safetensors", modules_of(model))
    again = Lycoris.read(tmp_path / "b.safetensors", modules_of(model))
    assert again.config == adapter.config
    weight = draw(32, 16)
    for address, change in adapter.changes.items():
        assert torch.equal(change.difference(weight), again.changes[address].difference(weight))
    (change,) = adapter.changes.values()
    torch.testing.assert_close(change.difference(weight), 1.5 * product_of(loha()))


def test_the_scales_of_peft_are_not_for_whole_differences(model, tmp_path):
    tensors = {f"{LAYOUTS['peft']}.diff": draw(32, 16)}
    metadata = {"lora_adapter_metadata": '{"alpha": 3, "r": 2}'}
    path = write(tmp_path / "a.safetensors", tensors, metadata)
    (change,) = Lycoris.read(path, modules_of(model)).changes.values()
    assert torch.equal(change.difference(torch.zeros(32, 16)), draw(32, 16))


def glora(outputs=32, inputs=16, rank=2):
    shapes = {
        "a1": (inputs, rank),
        "a2": (rank, inputs),
        "b1": (outputs, rank),
        "b2": (rank, inputs),
    }
    return {f"{part}.weight": draw(*shape) for part, shape in shapes.items()}


@pytest.mark.parametrize("new_parts", [loha, glora])
def test_16_bits_stay_16_bits_until_they_are_merged(model, tmp_path, new_parts):
    parts = {name: each.half() for name, each in new_parts().items()}
    path = write(tmp_path / "a.safetensors", name_parts(LAYOUTS["kohya"], parts))
    (change,) = Lycoris.read(path, modules_of(model)).changes.values()
    assert {each.dtype for each in change.parts.values()} == {torch.float16}
    assert change.difference(torch.zeros(32, 16)).dtype == torch.float32


class TestFaults:
    def read(self, model, tmp_path, tensors):
        return Lycoris.read(write(tmp_path / "a.safetensors", tensors), modules_of(model))

    def test_layers_and_tensors_without_a_place_are_named(self, model, tmp_path, caplog):
        tensors = {
            **name_parts(LAYOUTS["kohya"], loha()),
            **name_parts("lora_unet_lost", loha()),
            "lora_unet_lost.set_weight": draw(2),
            "bundle_emb.toy.clip_l": draw(2, 16),
            f"{LAYOUTS['kohya']}.diff_b": draw(32),
        }
        with caplog.at_level(logging.WARNING):
            self.read(model, tmp_path, tensors)
        assert "1 of its 2 layers are not in the model and were left out: 'lora_unet_lost'" in (
            caplog.text
        )
        left_out = "'bundle_emb.toy.clip_l', 'lora_unet_lost.set_weight'"
        assert f"no part of a change, left out: {left_out}" in caplog.text
        assert f"biases that the model does not have, left out: '{ADDRESS}.bias'" in caplog.text

    def test_another_family_is_named(self, model, tmp_path):
        tensors = name_parts("lora_unet_double_blocks_0_img_attn_qkv", loha())
        with pytest.raises(CompatibilityError, match=r"another model, FLUX: .*'lora_unet_double"):
            self.read(model, tmp_path, tensors)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"hada_w1_b": None}, "expected the tensors of one of LoRA, LoHa, .*got hada_w1_a"),
            ({"lokr_w1": draw(2, 2)}, "expected the tensors of one of"),
            ({"hada_w1_b": draw(3, 16)}, r"do not fit together.*hada_w1_b \(3, 16\)"),
            ({"hada_w2_b": draw(2, 1)}, "do not fit together"),  # which could be broadcast
            ({"hada_w1_b": draw(0, 16), "hada_w1_a": draw(32, 0)}, "a rank of 1 or more"),
            ({"alpha": draw(2)}, "expected one number as alpha, got 2"),
            ({"hada_w1_a": draw(32, 2) * float("nan")}, "NaN or infinity in the change of"),
            ({"hada_w1_a": torch.ones(32, 2, dtype=torch.int8)}, "floating-point numbers, got"),
            ({"hada_w1_b": draw()}, "a rank of 1 or more"),
            ({"diff_b": draw(32), "b_norm": draw(32)}, "expected one of diff_b and b_norm"),
            ({"oft_blocks": draw(2, 2)}, "has changes of the kind OFT, which is not supported"),
            ({"on_input": draw(1)}, r"of the kind \(IA\)\^3, which is not supported"),
            ({"boft_R": draw(2, 2)}, "has changes of the kind BOFT, which is not supported"),
        ],
    )
    def test_bad_tensors_are_refused(self, model, tmp_path, changes, says):
        parts = {**loha(), **changes}
        parts = {name: each for name, each in parts.items() if each is not None}
        with pytest.raises(ModelFileError, match=says):
            self.read(model, tmp_path, name_parts(LAYOUTS["kohya"], parts))

    @pytest.mark.parametrize(
        ("parts", "says"),
        [
            (loha(32, 24), "is of 24 inputs and 32 outputs, the layer has 16 and 32"),
            ({"diff": draw(16, 32)}, "is of 32 inputs and 16 outputs"),
            ({**loha(), "dora_scale": draw(16, 1)}, r"expected 32 numbers in 'dora_scale'"),
            ({**loha(), "dora_scale": draw(1, 32)}, r"expected 16 numbers in 'dora_scale'"),
        ],
    )
    def test_other_shapes_are_named(self, model, tmp_path, parts, says):
        with pytest.raises(CompatibilityError, match=says):
            self.read(model, tmp_path, name_parts(LAYOUTS["kohya"], parts))
