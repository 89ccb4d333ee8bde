"""Every key of a typical LoRA of Stable Diffusion XL finds its layer, at full width.

The names are made by the rules of the trainers: kohya's scripts with the paths of sgm or diffusers,
ai-toolkit and ComfyUI, diffusers and peft.
"""

import pytest

from latelier.checkpoints.io.weights import build_on_meta
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.lora.names import name_table, to_kohya
from latelier.checkpoints.lora.writing import write_changes
from latelier.nn.low_rank import create_low_rank
from latelier.presets import read_preset

SGM = {
    **{f"input_blocks.{n}.1": (640, 2) for n in (4, 5)},
    **{f"input_blocks.{n}.1": (1280, 10) for n in (7, 8)},
    "middle_block.1": (1280, 10),
    **{f"output_blocks.{n}.1": (1280, 10) for n in (0, 1, 2)},
    **{f"output_blocks.{n}.1": (640, 2) for n in (3, 4, 5)},
}
"""Path of a transformer -> its width and depth."""

DIFFUSERS = {
    **{f"down_blocks.1.attentions.{n}": (640, 2) for n in (0, 1)},
    **{f"down_blocks.2.attentions.{n}": (1280, 10) for n in (0, 1)},
    "mid_block.attentions.0": (1280, 10),
    **{f"up_blocks.0.attentions.{n}": (1280, 10) for n in (0, 1, 2)},
    **{f"up_blocks.1.attentions.{n}": (640, 2) for n in (0, 1, 2)},
}
CONTEXT = 2048


def unet_layers(transformers):
    """Return the layers that LoRAs change -> the shapes of their weights."""
    layers = {}
    for path, (width, depth) in transformers.items():
        layers |= {f"{path}.{name}": (width, width) for name in ("proj_in", "proj_out")}
        for block in (f"{path}.transformer_blocks.{n}" for n in range(depth)):
            for attention, inputs in (("attn1", width), ("attn2", CONTEXT)):
                layers[f"{block}.{attention}.to_q"] = width, width
                layers[f"{block}.{attention}.to_k"] = width, inputs
                layers[f"{block}.{attention}.to_v"] = width, inputs
                layers[f"{block}.{attention}.to_out.0"] = width, width
            layers[f"{block}.ff.net.0.proj"] = 8 * width, width
            layers[f"{block}.ff.net.2"] = width, 4 * width
    return layers


def text_layers(width, depth):
    layers = {}
    for layer in (f"text_model.encoder.layers.{n}" for n in range(depth)):
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            layers[f"{layer}.self_attn.{name}"] = width, width
        layers[f"{layer}.mlp.fc1"] = 4 * width, width
        layers[f"{layer}.mlp.fc2"] = width, 4 * width
    return layers


TEXTS = (text_layers(768, 12), text_layers(1280, 32))


def with_prefix(prefix, layers, spell=lambda name: name):
    return {f"{prefix}{spell(name)}": shape for name, shape in layers.items()}


LAYOUTS = {
    "kohya": {
        **with_prefix("lora_unet_", unet_layers(SGM), to_kohya),
        **with_prefix("lora_te1_", TEXTS[0], to_kohya),
        **with_prefix("lora_te2_", TEXTS[1], to_kohya),
    },
    "kohya, paths of diffusers": with_prefix("lora_unet_", unet_layers(DIFFUSERS), to_kohya),
    "LyCORIS": with_prefix("lycoris_", unet_layers(DIFFUSERS), to_kohya),
    "ComfyUI and ai-toolkit": with_prefix("diffusion_model.", unet_layers(SGM)),
    "diffusers": {
        **with_prefix("unet.", unet_layers(DIFFUSERS)),
        **with_prefix("text_encoder.", TEXTS[0]),
        **with_prefix("text_encoder_2.", TEXTS[1]),
    },
    "peft": with_prefix("base_model.model.", unet_layers(DIFFUSERS)),
}


@pytest.mark.parametrize("layout", ["diffusers", "kohya"])
def test_both_text_encoders_are_written_and_read(with_clip, tmp_path, layout):
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "vocab_size": 8, "pad_token_id": 7}
    small |= {"bos_token_id": 6, "eos_token_id": 7}
    pair = {"clip_l": small, "clip_g": {**small, "pooled": "projected"}}
    unet = {"in_channels": 4, "out_channels": 4, "model_channels": 8, "num_groups": 4}
    unet |= {"channel_mult": [1], "num_heads": 1, "context_dim": 32}
    unet |= {"streams": {"text": {"width": 32, "injection": "native"}}}
    model = {
        "denoiser": with_clip.denoisers.build("unet", unet),
        "conditioners.text": with_clip.conditioners.build("clip_pair_text", pair),
    }
    changes = {
        address: create_low_rank(layer, 1, 1.0)
        for address, layer in find_layers(model).items()
        if address.endswith(("q_proj", "attn2.to_q"))
    }
    assert len(changes) > 2
    write_changes(tmp_path / "a.safetensors", changes, model, layout)
    assert Lora.read(tmp_path / "a.safetensors", model).layers.keys() == changes.keys()


@pytest.fixture
def model(with_clip):
    """The denoiser and the text encoders at full width, on the meta device."""
    preset = read_preset("sdxl-base")
    build = with_clip.denoisers.build
    denoiser = build_on_meta(lambda: build("unet", preset.denoiser.config))
    outputs = {"layer": "penultimate", "final_norm": False}
    wider = {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "hidden_act": "gelu",
        "pooled": "projected",
    }
    pair = {"clip_l": outputs, "clip_g": {**outputs, **wider}}
    build_text = with_clip.conditioners.build
    text = build_on_meta(lambda: build_text("clip_pair_text", pair))
    return {"denoiser": denoiser, "conditioners.text": text}


def test_every_key_finds_its_layer(model):
    layers, table = find_layers(model), name_table(model)
    for layout, shapes in LAYOUTS.items():
        found = set()
        for name, shape in shapes.items():
            layer = table[to_kohya(name)]
            assert tuple(layers[layer.address].weight.shape) == shape, (layout, name)
            assert len(layer.rows) == shape[0]
            found.add(layer.address)
        assert len(found) == len(shapes), layout
    counts = dict.fromkeys(("lora_unet_", "lora_te1_", "lora_te2_"), 0)
    for name in LAYOUTS["kohya"]:
        counts[next(prefix for prefix in counts if name.startswith(prefix))] += 1
    assert list(counts.values()) == [722, 72, 192]  # modules that kohya's scripts report
