"""LoRAs in the layouts of other programs, and files that are none."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file

from latelier.contracts.errors import CompatibilityError, ModelFileError

from .conftest import DENOISERS, draw_lora, read_lora, write_lora

ATTENTION = "denoiser.middle_block.1.transformer_blocks.0.attn2"
THEIRS = "mid_block.attentions.0.transformer_blocks.0.attn2"


def difference_of(change):
    return change.difference(torch.zeros(change.shape))


def assert_same(found, wanted):
    assert found.layers.keys() == wanted.layers.keys()
    for address, change in wanted.layers.items():
        torch.testing.assert_close(
            difference_of(found.layers[address]), difference_of(change), rtol=1e-5, atol=1e-6
        )


def write(path, tensors, metadata=None):
    save_file({name: each.clone().contiguous() for name, each in tensors.items()}, path, metadata)
    return path


def pair(inputs=16, outputs=32, rank=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, inputs, generator=generator)
    return down, torch.randn(outputs, rank, generator=generator)


@pytest.mark.parametrize("layout", ["latelier", "diffusers", "kohya"])
@pytest.mark.parametrize("name", DENOISERS)
def test_every_layer_survives_each_layout(model_of, tmp_path, name, layout):
    components = model_of(name)
    lora = draw_lora(components)
    write_lora(tmp_path / "a.safetensors", lora, components, layout)
    assert_same(read_lora(tmp_path / "a.safetensors", components), lora)


def test_our_own_layout_keeps_every_bit(unet_model, tmp_path):
    lora = draw_lora(unet_model)
    write_lora(tmp_path / "a.safetensors", lora, unet_model, "latelier")
    found = read_lora(tmp_path / "a.safetensors", unet_model)
    assert found.config == lora.config
    for address, change in lora.layers.items():
        assert torch.equal(found.layers[address].down, change.down)
        assert torch.equal(found.layers[address].up, change.up)


PREFIXES = {
    "kohya": ("lora_unet_" + THEIRS.replace(".", "_") + "_to_k", "lora_down", "lora_up"),
    "kohya, published names": (
        "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_k",
        "lora_down",
        "lora_up",
    ),
    "peft": (f"base_model.model.{THEIRS}.to_k", "lora_A", "lora_B"),
    "peft, named": (f"base_model.model.{THEIRS}.to_k", "lora_A.default", "lora_B.default"),
    "diffusers": (f"unet.{THEIRS}.to_k", "lora_A", "lora_B"),
    "early diffusers": (f"unet.{THEIRS}.to_k", "lora.down", "lora.up"),
    "linear layers": (f"unet.{THEIRS}.to_k", "lora_linear_layer.down", "lora_linear_layer.up"),
    "no prefix": (f"{THEIRS}.to_k", "lora_A", "lora_B"),
    "comfy": (
        "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k",
        "lora_down",
        "lora_up",
    ),
    "processors": (f"unet.{THEIRS}.processor.to_k_lora", "down", "up"),
}


@pytest.mark.parametrize("style", PREFIXES)
def test_each_spelling_is_read(unet_model, tmp_path, style):
    name, down_name, up_name = PREFIXES[style]
    down, up = pair()
    tensors = {f"{name}.{down_name}.weight": down, f"{name}.{up_name}.weight": up}
    found = read_lora(write(tmp_path / "a.safetensors", tensors), unet_model)
    (change,) = found.layers.values()
    assert found.layers.keys() == {f"{ATTENTION}.to_k"}
    assert change.alpha == change.rank == 2  # without alpha
    torch.testing.assert_close(difference_of(change), up @ down)


def test_the_output_of_an_early_processor_is_read(unet_model, tmp_path):
    down, up = pair(32)
    name = f"unet.{THEIRS}.processor.to_out_lora"
    tensors = {f"{name}.down.weight": down, f"{name}.up.weight": up}
    found = read_lora(write(tmp_path / "a.safetensors", tensors), unet_model)
    assert found.layers.keys() == {f"{ATTENTION}.to_out.0"}


@pytest.mark.parametrize(("alpha", "factor"), [(1.0, 0.5), (2.0, 1.0), (8.0, 4.0), (0.0, 1.0)])
def test_alpha_over_rank_scales_the_change(unet_model, tmp_path, alpha, factor):
    down, up = pair()
    name = PREFIXES["kohya"][0]
    tensors = {
        f"{name}.lora_down.weight": down,
        f"{name}.lora_up.weight": up,
        f"{name}.alpha": torch.tensor(alpha),
    }
    found = read_lora(write(tmp_path / "a.safetensors", tensors), unet_model)
    torch.testing.assert_close(difference_of(found.layers[f"{ATTENTION}.to_k"]), factor * up @ down)


@pytest.mark.parametrize(
    ("config", "factor"),
    [
        ({"lora_alpha": 8}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"attn2.to_k": 1}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"attn1.to_k": 1}}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {r"attn[12]\.to_(k|v)": 1}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {f"^{THEIRS}.to_k": 1}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"^attn2.to_k": 1}}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"to_k": 1, "attn2.to_k": 2}}, 0.5),
        ({"lora_alpha": 8, "use_rslora": True}, 8 / 2**0.5),
    ],
)
def test_scales_of_peft_are_read(unet_model, tmp_path, config, factor):
    down, up = pair()
    keys = [f"{THEIRS}.to_k.lora_A.weight", f"{THEIRS}.to_k.lora_B.weight"]
    named = {f"unet.{key}": value for key, value in config.items()}
    metadata = {"lora_adapter_metadata": json.dumps(named)}
    tensors = dict(zip([f"unet.{key}" for key in keys], (down, up), strict=True))
    path = write(tmp_path / "a.safetensors", tensors, metadata)
    found = read_lora(path, unet_model).layers[f"{ATTENTION}.to_k"]
    torch.testing.assert_close(difference_of(found), factor * up @ down)

    tensors = dict(zip([f"base_model.model.{key}" for key in keys], (down, up), strict=True))
    path = write(tmp_path / "adapter_model.safetensors", tensors)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    found = read_lora(path, unet_model).layers[f"{ATTENTION}.to_k"]
    torch.testing.assert_close(difference_of(found), factor * up @ down)


def test_a_pattern_of_peft_that_is_no_regular_expression_is_an_error(unet_model, tmp_path):
    keys = [f"base_model.model.{THEIRS}.to_k.lora_{side}.weight" for side in "AB"]
    path = write(tmp_path / "adapter_model.safetensors", dict(zip(keys, pair(), strict=True)))
    (tmp_path / "adapter_config.json").write_text('{"alpha_pattern": {"to_(k": 1}}')
    with pytest.raises(ModelFileError, match=r"adapter_config.json: expected a regular .*to_\(k"):
        read_lora(path, unet_model)


def test_split_projections_become_one_layer(model_of, tmp_path):
    components = model_of("transformer")
    tensors, parts = {}, {}
    for seed, each in enumerate("qv"):
        down, up = pair(16, 16, rank=1 + seed, seed=seed)
        name = f"transformer.transformer_blocks.1.attn1.to_{each}"
        tensors |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
        parts[each] = up @ down
    found = read_lora(write(tmp_path / "a.safetensors", tensors), components)
    (change,) = found.layers.values()
    expected = torch.cat([parts["q"], torch.zeros(16, 16), parts["v"]])
    assert found.layers.keys() == {"denoiser.blocks.1.attn.qkv"}
    torch.testing.assert_close(difference_of(change), expected)


def test_a_decomposed_kernel_is_read(unet_model, tmp_path):
    generator = torch.Generator().manual_seed(0)
    shapes = {"lora_down": (2, 4, 1, 1), "lora_mid": (2, 2, 3, 3), "lora_up": (16, 2, 1, 1)}
    tensors = {
        f"lora_unet_conv_in.{name}.weight": torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }
    found = read_lora(write(tmp_path / "a.safetensors", tensors), unet_model)
    down, middle, up = (tensors[f"lora_unet_conv_in.{name}.weight"] for name in shapes)
    kernel = torch.einsum("or,rmhw,mi->oihw", up[:, :, 0, 0], middle, down[:, :, 0, 0])
    difference = difference_of(found.layers["denoiser.input_blocks.0.0"])
    torch.testing.assert_close(difference, kernel)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("time_embedding_linear_1", "time_embed.0"),
        ("conv_in", "input_blocks.0.0"),
        ("conv_out", "out.2"),
        ("down_blocks_0_downsamplers_0_conv", "input_blocks.2.0.op"),
        ("up_blocks_0_upsamplers_0_conv", "output_blocks.1.2.conv"),
        ("mid_block_attentions_0_proj_in", "middle_block.1.proj_in"),
        ("down_blocks_1_resnets_0_conv_shortcut", "input_blocks.3.0.skip_connection"),
        ("down_blocks_1_resnets_0_time_emb_proj", "input_blocks.3.0.emb_layers.1"),
    ],
)
def test_names_of_kohya_beyond_attention(unet_model, tmp_path, theirs, ours):
    lora = draw_lora(unet_model, only=lambda address: address == f"denoiser.{ours}")
    write_lora(tmp_path / "a.safetensors", lora, unet_model, "kohya")
    names = {name.partition(".")[0] for name in load_file(tmp_path / "a.safetensors")}
    assert names == {f"lora_unet_{theirs}"}
    assert_same(read_lora(tmp_path / "a.safetensors", unet_model), lora)


def test_16_bits_stay_16_bits(unet_model, tmp_path):
    down, up = (each.half() for each in pair())
    name = PREFIXES["diffusers"][0]
    tensors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    found = read_lora(write(tmp_path / "a.safetensors", tensors), unet_model)
    assert found.layers[f"{ATTENTION}.to_k"].down.dtype == torch.float16


def test_8_bits_are_widened(unet_model, tmp_path):
    down, up = (each.to(torch.float8_e4m3fn) for each in pair())
    name = PREFIXES["diffusers"][0]
    tensors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    found = read_lora(write(tmp_path / "a.safetensors", tensors), unet_model)
    difference = difference_of(found.layers[f"{ATTENTION}.to_k"])
    torch.testing.assert_close(difference, up.float() @ down.float())


class TestFaults:
    def tensors(self, **changes):
        down, up = pair()
        name = PREFIXES["diffusers"][0]
        return {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up, **changes}

    def test_layers_that_the_model_lacks_are_named(self, unet_model, tmp_path, caplog):
        down, up = pair()
        lost = {
            f"unet.lost.{i}.{part}.weight": each
            for i in range(7)
            for part, each in (("lora_A", down), ("lora_B", up))
        }
        path = write(tmp_path / "a.safetensors", self.tensors(**lost))
        with caplog.at_level(logging.WARNING):
            assert len(read_lora(path, unet_model).layers) == 1
        assert "7 of its 8 layers are not in the model" in caplog.text
        assert "'unet.lost.0'" in caplog.text
        assert "and 2 more" in caplog.text

    @pytest.mark.parametrize(
        ("name", "family"), [("unet.lost", ""), ("lora_unet_double_blocks_0_img_attn", ", FLUX")]
    )
    def test_a_lora_of_another_model_is_refused(self, unet_model, tmp_path, name, family):
        down, up = pair()
        tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        path = write(tmp_path / "a.safetensors", tensors)
        with pytest.raises(CompatibilityError, match=f"LoRA of another model{family}: .*'{name}'"):
            read_lora(path, unet_model)

    @pytest.mark.parametrize(
        ("key", "text", "family"),
        [
            ("ss_base_model_version", "sdxl_base_v1-0", "Stable Diffusion XL"),
            ("ss_base_model_version", "sd_v2_v", "Stable Diffusion 2"),
            ("ss_base_model_version", "sd_v1", "Stable Diffusion 1"),
            ("modelspec.architecture", "stable-diffusion-xl-v1-base/lora", "Stable Diffusion XL"),
            ("modelspec.architecture", "Flux-1-dev/lora", "FLUX"),
        ],
    )
    def test_what_a_file_says_it_is_for_is_named(
        self, unet_model, tmp_path, caplog, key, text, family
    ):
        """Its layers are not listed one by one first."""
        tensors = {}
        for name, inputs in (("unet.lost", 16), (PREFIXES["diffusers"][0], 24)):
            down, up = pair(inputs)
            tensors |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
            path = write(tmp_path / "a.safetensors", tensors, {key: text})
            with pytest.raises(CompatibilityError, match=f"LoRA of another model, {family}: "):
                read_lora(path, unet_model)
        assert caplog.text == ""

    def test_other_shapes_are_named(self, unet_model, tmp_path):
        down, up = pair(24)
        name = PREFIXES["diffusers"][0]
        tensors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
        path = write(tmp_path / "a.safetensors", tensors)
        with pytest.raises(
            CompatibilityError,
            match=rf"'{ATTENTION}.to_k' maps 16 to 32 numbers, its change 24 to 32",
        ):
            read_lora(path, unet_model)

    @pytest.mark.parametrize(("width", "family"), [(768, "1"), (1024, "2"), (2048, "XL")])
    def test_the_width_of_the_context_tells_the_model(self, unet_model, tmp_path, width, family):
        down, up = pair(width)
        name = PREFIXES["kohya"][0]
        tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        path = write(tmp_path / "a.safetensors", tensors)
        with pytest.raises(CompatibilityError, match=f"another model, Stable Diffusion {family}: "):
            read_lora(path, unet_model)

    def test_a_fitting_context_tells_no_other_model(self, unet_model, tmp_path, monkeypatch):
        contexts = "latelier.checkpoints.lora.reading._CONTEXTS"
        monkeypatch.setattr(contexts, {16: "the model itself"})
        wide = pair(17)
        tensors = self.tensors(
            **{f"unet.conv_out.lora_{half}.weight": each for half, each in zip("AB", wide)}
        )
        path = write(tmp_path / "a.safetensors", tensors)
        with pytest.raises(CompatibilityError, match="of another model: 'denoiser"):
            read_lora(path, unet_model)

    def test_a_missing_half_is_named(self, unet_model, tmp_path):
        down, _ = pair()
        path = write(tmp_path / "a.safetensors", {"unet.conv_in.lora_A.weight": down})
        with pytest.raises(ModelFileError, match=r"one of them is missing for 'unet\.conv_in'"):
            read_lora(path, unet_model)

    def test_different_ranks_of_the_halves_are_refused(self, unet_model, tmp_path):
        name = PREFIXES["diffusers"][0]
        tensors = {
            f"{name}.lora_A.weight": pair(rank=2)[0],
            f"{name}.lora_B.weight": pair(rank=3)[1],
        }
        path = write(tmp_path / "a.safetensors", tensors)
        with pytest.raises(ModelFileError, match="rank 2 in its down tensor and 3 in its up"):
            read_lora(path, unet_model)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_numbers_that_are_not_finite_are_refused(self, unet_model, tmp_path, value):
        tensors = self.tensors()
        next(iter(tensors.values()))[0, 0] = value
        path = write(tmp_path / "a.safetensors", tensors)
        with pytest.raises(ModelFileError, match=r"NaN or infinity in the change of 'unet\.mid"):
            read_lora(path, unet_model)

    def test_a_file_of_other_tensors_is_refused(self, unet_model, tmp_path):
        path = write(tmp_path / "a.safetensors", {"model.weight": torch.ones(2)})
        with pytest.raises(ModelFileError, match="is not a LoRA: none of its 1 tensors"):
            read_lora(path, unet_model)

    @pytest.mark.parametrize(
        ("part", "tensor", "says"),
        [
            (
                "lora_A",
                torch.ones(2, 16, dtype=torch.int8),
                "floating-point numbers, got torch.int8",
            ),
            ("lora_A", torch.ones(0, 16), "matrices of rank 1 or more"),
            ("lora_A", torch.ones(16), "matrices of rank 1 or more"),
            (
                "lora_mid",
                torch.ones(2, 2),
                r"expected a middle tensor \(r, 2, h, w\), got \(2, 2\)",
            ),
            ("lora_mid", torch.ones(2, 3, 3, 3), r"a middle tensor \(r, 2, h, w\)"),
        ],
    )
    def test_tensors_that_are_no_change_are_refused(self, unet_model, tmp_path, part, tensor, says):
        name = f"{PREFIXES['diffusers'][0]}.{part}.weight"
        path = write(tmp_path / "a.safetensors", self.tensors(**{name: tensor}))
        with pytest.raises(ModelFileError, match=says):
            read_lora(path, unet_model)

    @pytest.mark.parametrize("alpha", ["8", None, float("nan"), True])
    def test_an_alpha_of_peft_is_a_number(self, unet_model, tmp_path, alpha):
        down, up = pair()
        name = f"base_model.model.{THEIRS}.to_k"
        tensors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
        path = write(tmp_path / "adapter_model.safetensors", tensors)
        (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": alpha}))
        with pytest.raises(ModelFileError, match="expected a number as lora_alpha"):
            read_lora(path, unet_model)

    @pytest.mark.parametrize("alpha", [torch.ones(2), torch.tensor([])])
    def test_an_alpha_is_one_number(self, unet_model, tmp_path, alpha):
        name = f"{PREFIXES['diffusers'][0]}.alpha"
        path = write(tmp_path / "a.safetensors", self.tensors(**{name: alpha}))
        with pytest.raises(ModelFileError, match="expected one number as alpha"):
            read_lora(path, unet_model)
