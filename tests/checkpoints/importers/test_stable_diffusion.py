"""Single files of Stable Diffusion: recognized and decided by shapes and names, at full width."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.clip_layout import clip_from_compvis, clip_from_open_clip
from latelier.checkpoints.importers.stable_diffusion.importer import StableDiffusion
from latelier.checkpoints.importers.stable_diffusion.published import published_config
from latelier.contracts.errors import InvalidConfigError, ModelFileError

TEXT = {1: "FrozenCLIPEmbedder", 2: "FrozenOpenCLIPEmbedder"}


def empty(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, device="meta")


@pytest.fixture
def single_file(compvis_checkpoint, given):
    """Make a file of a version without numbers. The UNet's shape is written out here."""

    def make(version: int, channels: int = 4, **params: Any) -> Any:
        unet = {
            "in_channels": channels,
            "out_channels": 4,
            "model_channels": 320,
            "attention_resolutions": [4, 2, 1],
            "num_res_blocks": 2,
            "channel_mult": [1, 2, 4, 4],
            "use_spatial_transformer": True,
            "use_linear_in_transformer": version == 2,
            "context_dim": {1: 768, 2: 1024}[version],
        }
        layers = {
            "double_z": True,
            "z_channels": 4,
            "resolution": 256,
            "in_channels": 3,
            "out_ch": 3,
            "ch": 128,
            "ch_mult": [1, 2, 4, 4],
            "num_res_blocks": 2,
            "attn_resolutions": [],
        }
        config = {
            "model": {
                "params": {
                    "linear_start": 0.00085,
                    "linear_end": 0.012,
                    "timesteps": 1000,
                    "use_ema": False,
                    "unet_config": {"params": unet},
                    "first_stage_config": {"params": {"embed_dim": 4, "ddconfig": layers}},
                    "cond_stage_config": {"target": TEXT[version]},
                    **params,
                }
            }
        }
        tensors = compvis_checkpoint(config, empty)
        return given(None, tensors)

    return make


@pytest.mark.parametrize(
    ("version", "size", "parameters"), [(1, 512, 859_520_964), (2, 768, 865_910_724)]
)
def test_all_tensor_names_are_mapped(single_file, built_ins, version, size, parameters):
    source = single_file(version)
    assert StableDiffusion().recognizes(source)
    found = StableDiffusion().read(source)
    first_stage = build_part("first_stage", found.parts["first_stage"], built_ins).module
    denoiser = build_part("denoiser", found.parts["denoiser"], built_ins).module
    assert sum(p.numel() for p in first_stage.parameters()) == 83_653_863
    assert sum(p.numel() for p in denoiser.parameters()) == parameters
    assert first_stage.config.scale_factor == 0.18215
    assert found.process["prediction"] == {1: "eps", 2: "v"}[version]
    assert (found.process["beta_start"], found.process["beta_end"]) == (0.00085, 0.012)
    assert found.defaults["size"] == size
    assert found.inputs == {"prompt": "text"}
    heads = denoiser.config.heads(1280)
    assert heads == {1: 8, 2: 20}[version]


def test_a_missing_plugin_is_named(single_file, built_ins):
    found = StableDiffusion().read(single_file(1))
    with pytest.raises(ModelFileError, match=r"clip_text'.*: pip install ./plugins/latelier-tr"):
        build_part("conditioners.text", found.parts["conditioners.text"], built_ins)


@pytest.mark.parametrize(("version", "layers"), [(1, 12), (2, 24)])
def test_all_tensor_names_of_the_text_encoder_are_mapped(single_file, with_clip, version, layers):
    part = StableDiffusion().read(single_file(version)).parts["conditioners.text"]
    config = build_part("conditioners.text", part, with_clip).config
    assert config.num_hidden_layers == layers
    assert config.layer == {1: "last", 2: "penultimate"}[version]
    assert config.pad_token_id == {1: 49407, 2: 0}[version]
    assert config.hidden_act == {1: "quick_gelu", 2: "gelu"}[version]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("options", "syntax"),
    [({}, "a1111"), ({"prompt_syntax": "plain"}, "plain"), ({"prompt_syntax": "x"}, None)],
)
def test_prompts_are_read_in_the_syntax_of_choice(single_file, with_clip, version, options, syntax):
    source = single_file(version)
    found = StableDiffusion().read(replace(source, options={**source.options, **options}))
    text = found.parts["conditioners.text"]
    if syntax is None:
        with pytest.raises(InvalidConfigError, match="'plain', 'a1111' or 'comfyui'"):
            with_clip.conditioners.validate_config(text.id, text.config)
        return
    assert text.config["prompt_syntax"] == syntax


@pytest.mark.parametrize(
    ("version", "channels", "name", "options", "prediction"),
    [
        (1, 4, "v1-5-pruned.ckpt", {}, "eps"),
        (1, 4, "any-768-v.ckpt", {}, "eps"),
        (1, 4, "x.ckpt", {"prediction": "v"}, "v"),
        (2, 4, "v2-1_768-ema-pruned.ckpt", {}, "v"),
        (2, 4, "v2-1_512-ema-pruned.ckpt", {}, "eps"),
        (2, 4, "512-base-ema.safetensors", {}, "eps"),
        (2, 4, "768-v-ema.safetensors", {}, "v"),
        (2, 4, "mine.safetensors", {}, "v"),
        (2, 4, "mine.safetensors", {"prediction": "eps"}, "eps"),
        (2, 9, "512-inpainting-ema.ckpt", {}, "eps"),
    ],
)
def test_the_prediction_type_is_chosen(single_file, version, channels, name, options, prediction):
    config, notes = published_config(single_file(version, channels).shapes(), name, options)
    params = config["model"]["params"]
    assert params["parameterization"] == prediction
    assert params["image_size"] == (96 if (version, prediction) == (2, "v") else 64)
    assert any(f"it predicts {prediction}: " in note for note in notes)


def test_unsupported_files_are_refused(single_file, given):
    with pytest.raises(ModelFileError, match="takes 7 channels; supported"):
        published_config(single_file(2, 7).shapes(), "upscaler.ckpt", {})
    with pytest.raises(InvalidConfigError, match="unknown prediction 'x0'"):
        published_config(single_file(2).shapes(), "x.ckpt", {"prediction": "x0"})
    with pytest.raises(InvalidConfigError, match="'use_ema': expected true or false, got 'False'"):
        published_config(single_file(2).shapes(), "x.ckpt", {"use_ema": "False"})
    for name in (
        "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "input_blocks.0.0.weight",
    ):
        tensors = single_file(1).tensors()
        del tensors[f"model.diffusion_model.{name}"]
        assert not StableDiffusion().recognizes(given(None, tensors))
        with pytest.raises(ModelFileError, match="lacks the names and shapes of Stable"):
            StableDiffusion().read(given(None, tensors))
    assert not StableDiffusion().recognizes(given({"model": {}}, single_file(1).tensors()))


def test_ema_weights_are_used_on_request(single_file):
    source = single_file(1, use_ema=True)
    marked = source.options["tensors"]
    name = "model_ema.diffusion_modelout2bias"
    assert name in marked
    found = StableDiffusion().read(source)
    assert found.parts["denoiser"].tensors["out.2.bias"] is not marked[name]
    source.options["use_ema"] = True
    found = StableDiffusion().read(source)
    assert found.parts["denoiser"].tensors["out.2.bias"] is marked[name]


def small_clip() -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.CLIPTextConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=11,
        max_position_embeddings=7,
    )
    return transformers.CLIPTextModel(config)


def transformers_names(model: Any) -> dict[str, Tensor]:
    """Return the state dict under the names of the files: later versions leave out a level."""
    state = model.state_dict()
    return {
        name if name.startswith("text_model.") else f"text_model.{name}": tensor
        for name, tensor in state.items()
    }


@pytest.mark.parametrize("prefix", ["transformer.text_model.", "transformer."])
def test_text_encoder_names_of_version_1_are_mapped(prefix):
    wanted = {name: t for name, t in transformers_names(small_clip()).items() if "ids" not in name}
    theirs = {name.replace("text_model.", prefix, 1): t for name, t in wanted.items()}
    theirs[f"{prefix}embeddings.position_ids"] = torch.arange(7)
    found = clip_from_compvis(theirs)
    assert found.keys() == wanted.keys()
    assert all(found[name] is tensor for name, tensor in wanted.items())


def test_text_encoder_names_of_version_2_are_mapped():
    wanted = {name: t for name, t in transformers_names(small_clip()).items() if "ids" not in name}
    shapes = {f"model.{name}": tuple(t.shape) for name, t in as_open_clip(wanted).items()}
    theirs = {f"model.{name}": t for name, t in as_open_clip(wanted).items()}
    assert shapes["model.transformer.resblocks.1.attn.in_proj_weight"] == (96, 32)
    theirs |= {"model.text_projection": torch.ones(2, 2), "model.logit_scale": torch.ones(())}
    found = clip_from_open_clip(theirs)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def as_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return transformers' state dict under open_clip's names, written out here."""
    found = {
        "positional_embedding": tensors["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": tensors["text_model.embeddings.token_embedding.weight"],
        "ln_final.weight": tensors["text_model.final_layer_norm.weight"],
        "ln_final.bias": tensors["text_model.final_layer_norm.bias"],
    }
    for i in range(2):
        theirs, ours = f"text_model.encoder.layers.{i}", f"transformer.resblocks.{i}"
        for leaf in ("weight", "bias"):
            joint = [tensors[f"{theirs}.self_attn.{each}_proj.{leaf}"] for each in "qkv"]
            found[f"{ours}.attn.in_proj_{leaf}"] = torch.cat(joint)
            out = tensors[f"{theirs}.self_attn.out_proj.{leaf}"]
            found[f"{ours}.attn.out_proj.{leaf}"] = out
            found[f"{ours}.mlp.c_fc.{leaf}"] = tensors[f"{theirs}.mlp.fc1.{leaf}"]
            found[f"{ours}.mlp.c_proj.{leaf}"] = tensors[f"{theirs}.mlp.fc2.{leaf}"]
            found[f"{ours}.ln_1.{leaf}"] = tensors[f"{theirs}.layer_norm1.{leaf}"]
            found[f"{ours}.ln_2.{leaf}"] = tensors[f"{theirs}.layer_norm2.{leaf}"]
    return found
