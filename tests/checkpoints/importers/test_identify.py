"""A file that cannot be imported is called what it is."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from latelier.contracts.errors import ModelFileError
from latelier.conversion.importing import import_model

UNET = "model.diffusion_model."
ATTENTION = "transformer_blocks.0.attn2.to_k.weight"
SD_UNET = {
    f"{UNET}input_blocks.0.0.weight": (32, 4, 3, 3),
    f"{UNET}input_blocks.1.1.{ATTENTION}": (32, 768),
}
KINDS = {
    "kohya LoRA": ({"lora_unet_x.lora_down.weight": (4, 4)}, "is a LoRA"),
    "PEFT LoRA": ({"unet.x.lora_A.weight": (4, 4)}, "is a LoRA"),
    "old LoRA of diffusers": ({"unet.x.to_q.lora.down.weight": (4, 4)}, "is a LoRA"),
    "LoHa": ({"lora_unet_x.hada_w1_a": (4, 4)}, "is a LyCORIS"),
    "embedding": ({"emb_params": (2, 768)}, "is a textual-inversion embedding"),
    "embedding by its word": ({"<cat-toy>": (768,)}, "is a textual-inversion embedding"),
    "embedding of SDXL": ({"clip_l": (2, 768), "clip_g": (2, 1280)}, "is a textual-inversion"),
    "ControlNet": (
        {"control_model.zero_convs.0.0.weight": (4, 4, 1, 1)},
        "is a ControlNet: the plugin latelier-addons reads those of Stable Diffusion",
    ),
    "ControlNet of FLUX.1": (
        {"controlnet_x_embedder.weight": (4, 4), "controlnet_blocks.0.weight": (4, 4)},
        "is a ControlNet for FLUX.1: no installed importer reads it",
    ),
    "older ControlNet of FLUX.1": (
        {
            "input_hint_block.0.weight": (4, 3, 3, 3),
            "controlnet_blocks.0.weight": (4, 4),
            "double_blocks.0.img_attn.qkv.weight": (4, 4),
        },
        "is a ControlNet for FLUX.1",
    ),
    "ControlNet-LLLite": ({"lllite_unet_x.down.0.weight": (4, 4)}, "is a ControlNet-LLLite"),
    "ControlNet of SD 3": (
        {"controlnet_blocks.0.weight": (4, 4), "pos_embed_input.proj.weight": (4, 17, 2, 2)},
        "is a ControlNet for Stable Diffusion 3",
    ),
    "ControlNet of Qwen-Image": (
        {"controlnet_x_embedder.weight": (4, 4), "txt_norm.weight": (4,)},
        "is a ControlNet for Qwen-Image",
    ),
    "ControlNet of Z-Image": (
        {"control_all_x_embedder.2-1.weight": (4, 4), "control_layers.0.x": (4,)},
        "is a ControlNet for Z-Image",
    ),
    "ControlNet of diffusers": (
        {"controlnet_cond_embedding.conv_in.weight": (4, 4, 3, 3), "down_blocks.0.x": (4,)},
        "is a ControlNet",
    ),
    "T2I-Adapter": ({"body.0.block1.weight": (4, 4), "conv_in.weight": (4, 4)}, "is a T2I-Adapter"),
    "motion module": ({"down_blocks.0.motion_modules.0.x": (4,)}, "is a motion module"),
    "SDXL": (
        {
            f"{UNET}input_blocks.0.0.weight": (32, 4, 3, 3),
            f"{UNET}input_blocks.4.1.{ATTENTION}": (64, 2048),
            "conditioner.embedders.0.x": (4,),
            "first_stage_model.decoder.conv_in.weight": (4, 4, 3, 3),
        },
        "is like Stable Diffusion XL, of other sizes",
    ),
    "SDXL without VAE": (
        {
            f"{UNET}input_blocks.0.0.weight": (32, 4, 3, 3),
            "conditioner.embedders.0.transformer.text_model.x": (4,),
        },
        "is a checkpoint without its VAE",
    ),
    "UNet of SDXL": (
        {
            f"{UNET}input_blocks.0.0.weight": (32, 4, 3, 3),
            f"{UNET}input_blocks.4.1.{ATTENTION}": (64, 2048),
        },
        "is a UNet alone, without VAE and text encoder",
    ),
    "SD 3": ({f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (4, 4)}, "is Stable Diffusion 3"),
    "FLUX.1": ({"double_blocks.0.img_attn.qkv.weight": (4, 4)}, "is FLUX.1"),
    "FLUX.2": (
        {
            "double_blocks.0.img_attn.qkv.weight": (4, 4),
            "double_stream_modulation_img.lin.weight": (4, 4),
        },
        "is FLUX.2",
    ),
    "Qwen-Image": (
        {
            "transformer_blocks.0.attn.add_k_proj.weight": (4, 4),
            "transformer_blocks.0.img_mod.1.weight": (4, 4),
        },
        "is Qwen-Image",
    ),
    "Z-Image": (
        {"cap_embedder.0.weight": (4,), "noise_refiner.0.attention.qkv.weight": (4, 4)},
        "is Z-Image",
    ),
    "HunyuanVideo": (
        {
            "double_blocks.0.img_attn.qkv.weight": (4, 4),
            "txt_in.individual_token_refiner.blocks.0.norm1.weight": (4,),
        },
        "is HunyuanVideo",
    ),
    "LTX-Video": ({"patchify_proj.weight": (4, 4)}, "is LTX-Video"),
    "Wan": ({"patch_embedding.weight": (4, 4, 1, 2, 2)}, "is a model of videos: no installed"),
    "UNet alone": (SD_UNET, "is a UNet alone, without VAE and text encoder"),
    "no VAE": (
        {**SD_UNET, "cond_stage_model.transformer.text_model.x": (4,)},
        "is a checkpoint without its VAE",
    ),
    "no text encoder": (
        {
            f"{UNET}input_blocks.0.0.weight": (32, 4, 3, 3),
            f"{UNET}input_blocks.1.1.{ATTENTION}": (32, 768),
            "first_stage_model.decoder.conv_in.weight": (4, 4, 3, 3),
        },
        "is a checkpoint without its text encoder",
    ),
    "UNet of diffusers": (
        {"down_blocks.0.x": (4,), "up_blocks.0.x": (4,), "time_embedding.linear_1.weight": (4, 4)},
        "is a UNet of diffusers alone",
    ),
    "VAE": (
        {"encoder.conv_in.weight": (4, 3, 3, 3), "decoder.conv_in.weight": (4, 4, 3, 3)},
        "is a VAE alone: it needs its YAML",
    ),
    "VAE of diffusers": ({"encoder.down_blocks.0.x": (4,)}, "is a VAE of diffusers alone"),
    "CLIP": ({"text_model.embeddings.token_embedding.weight": (9, 4)}, "is a CLIP text encoder"),
    "CLIP of pictures": ({"vision_model.embeddings.x": (4,)}, "is a CLIP image encoder"),
    "T5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4, 4)}, "is a T5 text encoder"),
    "DiT": ({"y_embedder.embedding_table.weight": (4, 4)}, "is a DiT alone"),
    "upscaler": ({"conv_first.weight": (4, 3, 3, 3)}, "is an upscaler of pictures"),
    "language model": ({"model.layers.0.self_attn.q_proj.weight": (4, 4)}, "is a language model"),
    "something else": ({"w": (4, 4)}, "is of an unknown format; it holds 1 tensors (w"),
    "nothing": ({}, "holds no tensors"),
}


def refusal(path, tmp_path, built_ins) -> str:
    with pytest.raises(ModelFileError) as error:
        import_model(path, tmp_path / "out", atelier=built_ins)
    assert not (tmp_path / "out").exists()
    return str(error.value)


@pytest.mark.parametrize(("shapes", "text"), KINDS.values(), ids=KINDS.keys())
def test_unsupported_weights_are_identified(tmp_path, built_ins, shapes, text):
    path = tmp_path / "x.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
    assert text in refusal(path, tmp_path, built_ins)


FILES = {
    "GGUF": (b"GGUF\x03\x00\x00\x00{" + bytes(16), "is a GGUF file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(16), "is an HDF5 file"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\n",
        "run `git lfs pull`",
    ),
    "web page": (b"<!DOCTYPE html><html>login</html>", "is a web page: the download has failed"),
    "gzip": (b"\x1f\x8b\x08" + bytes(16), "is a gzip archive"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(16), "is a picture"),
    "empty": (b"", "is empty"),
    "text": (b"hello, this is a text", "is neither a safetensors file"),
}


@pytest.mark.parametrize(("data", "text"), FILES.values(), ids=FILES.keys())
def test_files_without_weights_are_identified(tmp_path, built_ins, data, text):
    path = tmp_path / "x.ckpt"
    path.write_bytes(data)
    found = refusal(path, tmp_path, built_ins)
    assert text in found


def test_files_are_identified_by_name(tmp_path, built_ins):
    for name, text in (("x.onnx", "is an ONNX graph"), ("x.msgpack", "holds weights of Flax")):
        (tmp_path / name).write_bytes(b"\x08\x07\x12\x04" + bytes(16))
        assert text in refusal(tmp_path / name, tmp_path, built_ins)


def test_a_zip_archive_that_is_not_a_checkpoint_is_refused(tmp_path, built_ins):
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    assert "it is a NumPy archive" in refusal(tmp_path / "x.npz", tmp_path, built_ins)
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "x.pt")
    assert "it is a TorchScript program" in refusal(tmp_path / "x.pt", tmp_path, built_ins)


def test_an_optimizer_state_is_identified(tmp_path, built_ins):
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.bin")
    found = refusal(tmp_path / "optimizer.bin", tmp_path, built_ins)
    assert "holds the state of an optimizer" in found


@pytest.mark.parametrize(
    ("file", "name"),
    [("model_index.json", "FluxPipeline"), ("config.json", "WanTransformer3DModel")],
)
def test_a_folder_of_diffusers_is_called_by_its_class(tmp_path, built_ins, file, name):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / file).write_text(f'{{"_class_name": "{name}"}}')
    found = refusal(tmp_path / "in", tmp_path, built_ins)
    assert f"is a '{name}' of diffusers, which no installed importer reads" in found
    assert ("--option pipeline=NAME" in found) == (file == "model_index.json")


def test_an_unknown_folder_is_refused(tmp_path, built_ins):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "config.json").write_text('{"model_type": "llama"}')
    assert "expected the model_index.json" in refusal(tmp_path / "in", tmp_path, built_ins)
