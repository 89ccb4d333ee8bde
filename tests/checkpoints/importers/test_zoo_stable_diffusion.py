"""Stable Diffusion at full width: one file of the published layout, read here and by diffusers.

The reference is diffusers' own reading of the same file, `from_single_file`.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import latelier
from latelier.checkpoints.io.weights import write_weights
from latelier.contracts.condition import Condition, Stream
from latelier.diffusion.noise import PerImageNoise
from latelier.pipeline import Pipeline

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.zoo

PROMPT = "a cat"
TOKENS = 49408


class Published(NamedTuple):
    """Settings of diffusers for a version. padding: the token."""

    unet: Mapping[str, Any]
    text: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    padding: str


PUBLISHED = {
    "sd-v1": Published(
        {"cross_attention_dim": 768, "attention_head_dim": 8},
        {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12},
        {"prediction_type": "epsilon"},
        "<|endoftext|>",
    ),
    "sd-v2": Published(
        {
            "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20),
            "use_linear_projection": True,
        },
        {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 23,
            "hidden_act": "gelu",
        },
        {"prediction_type": "v_prediction"},
        "!",
    ),
}


def tokenizer_files() -> dict[str, str]:
    """Return CLIP's tokenizer without merges, filled up with tokens that no text has."""
    alphabet = sorted(pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += [f"unsaid{k}" for k in range(len(tokens), TOKENS - 2)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocab = json.dumps({token: number for number, token in enumerate(tokens)})
    return {"vocab.json": vocab, "merges.txt": "#version: 0.2\n"}


def write_reference(folder: Path, published: Published) -> None:
    """Write the files that diffusers needs in addition to the weights."""
    kinds = {
        "unet": ("UNet2DConditionModel", {"sample_size": 64, **published.unet}),
        "vae": (
            "AutoencoderKL",
            {
                "block_out_channels": (128, 256, 512, 512),
                "down_block_types": ["DownEncoderBlock2D"] * 4,
                "up_block_types": ["UpDecoderBlock2D"] * 4,
                "layers_per_block": 2,
                "latent_channels": 4,
                "sample_size": 512,
            },
        ),
    }
    index: dict[str, Any] = {"_class_name": "StableDiffusionPipeline"}
    for name, (kind, options) in kinds.items():
        with torch.device("meta"):
            getattr(diffusers, kind)(**options).save_config(folder / name)
        index[name] = ["diffusers", kind]
    diffusers.DDIMScheduler(**published.scheduler).save_config(folder / "scheduler")
    heads = published.text["hidden_size"] // 64
    transformers.CLIPTextConfig(
        vocab_size=TOKENS, num_attention_heads=heads, **published.text
    ).save_pretrained(folder / "text_encoder")
    (folder / "tokenizer").mkdir()
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "pad_token": published.padding,
    }
    files = {**tokenizer_files(), "tokenizer_config.json": json.dumps(settings)}
    for name, text in files.items():
        (folder / "tokenizer" / name).write_text(text)
    index |= {
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index))


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def relative(found: Tensor, wanted: Tensor) -> float:
    assert found.shape == wanted.shape
    assert wanted.abs().max() > 1e-3
    return float((found - wanted).abs().max() / wanted.abs().max())


def own_memory() -> int:
    """Return the bytes that this process holds itself, mapped files not counted; 0 but on Linux."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for gigabytes, which does not outlive the test."""
    yield tmp_path / "gigabytes"
    shutil.rmtree(tmp_path / "gigabytes")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_single_file_is_imported(
    name, folder, cli, with_clip, monkeypatch, compvis_checkpoint, published_yaml, drawn
):
    monkeypatch.setattr("latelier.kernel.default.default_atelier", lambda: with_clip)
    source, there = folder / "source", folder / "reference"
    source.mkdir(parents=True)
    write_reference(there, PUBLISHED[name])
    for file, text in tokenizer_files().items():
        (source / file).write_text(text)
    tensors = compvis_checkpoint(published_yaml(name), drawn)
    write_weights(source / "model.safetensors", tensors)
    del tensors
    done = cli("import", source / "model.safetensors", folder / "ours")
    assert done.status == 0, done.err
    before = own_memory()
    ours = latelier.load(folder / "ours", device="cpu", dtype="float32", atelier=with_clip)
    assert own_memory() - before < 64 * 2**20  # of 4 GB: they are mapped
    theirs = diffusers.StableDiffusionPipeline.from_single_file(
        source / "model.safetensors", config=str(there), local_files_only=True
    )
    (source / "model.safetensors").unlink()
    check_networks(ours, theirs)
    done = cli("export", folder / "ours", folder / "back", "--format", "diffusers")
    assert done.status == 0, done.err
    check_bits(folder / "back", theirs)
    del theirs
    check_pictures(ours, folder / "back")


@torch.no_grad()
def check_networks(ours: Pipeline, theirs: Any) -> None:
    """One call of each network gives the same numbers."""
    x, t, scale = noise(1, 4, 8, 8), torch.tensor([481.0]), theirs.vae.config.scaling_factor
    tokens = noise(1, 77, theirs.unet.config.cross_attention_dim)
    found = ours.denoiser(x, t, Condition({"text": Stream(tokens)}))
    assert relative(found, theirs.unet(x, t, tokens).sample) < 1e-4
    images, wanted = noise(1, 3, 64, 64), theirs.vae.encode(noise(1, 3, 64, 64)).latent_dist.mean
    assert relative(ours.first_stage.encode(images), wanted * scale) < 1e-4
    assert relative(ours.first_stage.decode(x), theirs.vae.decode(x / scale).sample) < 1e-4
    ids = theirs.tokenizer([PROMPT], padding="max_length", max_length=77, return_tensors="pt")
    encoded = ours.conditioners["text"].encode([PROMPT]).stream.tokens
    assert relative(encoded, theirs.text_encoder(ids.input_ids).last_hidden_state) < 1e-4


def check_bits(exported: Path, theirs: Any) -> None:
    """What is exported has the names and the bits that diffusers itself makes of the file."""
    for part, stem in (("unet", ""), ("vae", ""), ("text_encoder", "model")):
        file = exported / part / f"{stem or 'diffusion_pytorch_model'}.safetensors"
        found, wanted = load_file(file), getattr(theirs, part).state_dict()
        found = {key.removeprefix("text_model."): each for key, each in found.items()}
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], each) for key, each in wanted.items())


def check_pictures(ours: Pipeline, exported: Path) -> None:
    """diffusers loads what is exported and draws the same picture from the same first noise."""
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(exported, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    options = {"prompt": PROMPT, "guidance": 5.0, "steps": 2, "size": 64, "seed": 3}
    (picture,) = ours.generate(**options, sampler="ddim", schedule="compvis")
    latents = PerImageNoise([3], (4, 8, 8), torch.device("cpu")).initial()
    (wanted,) = pipe(
        PROMPT, 64, 64, num_inference_steps=2, guidance_scale=5.0, latents=latents
    ).images
    found, wanted = (np.asarray(image, dtype=np.int16) for image in (picture.image, wanted))
    assert wanted.std() > 1
    assert np.abs(found - wanted).max() <= 2
