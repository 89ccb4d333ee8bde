"""LoRAs give diffusers and latelier the same numbers, whoever wrote the file.

The reference is diffusers' own loading, by peft.
"""

import json
from itertools import pairwise

import pytest
import torch

from latelier import load
from latelier.checkpoints.component import Component
from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.diffusers.importer import Diffusers
from latelier.checkpoints.importers.source import open_source
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.merging import merge
from latelier.contracts.condition import Condition, ConditionPart, Stream
from latelier.conversion.importing import import_model

from .conftest import draw_lora, fill, modules_of, read_lora, write_lora

diffusers = pytest.importorskip("diffusers")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")


@pytest.fixture
def theirs():
    """A small Stable Diffusion of diffusers."""
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=24,
        attention_head_dim=2,
        sample_size=8,
    )
    text = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            hidden_size=24,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=3,
            vocab_size=30,
            max_position_embeddings=7,
            bos_token_id=0,
            eos_token_id=2,
        )
    )
    return diffusers.StableDiffusionPipeline(
        vae=None,
        text_encoder=fill(text, seed=1),
        tokenizer=None,
        unet=fill(unet),
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
    )


@pytest.fixture
def ours(theirs, tmp_path, with_clip):
    """The same denoiser and text encoder here."""
    theirs.unet.save_pretrained(tmp_path / "unet")
    part = Diffusers().read(open_source(tmp_path / "unet", None, {})).parts["denoiser"]
    denoiser = build_part("denoiser", part, with_clip)
    text = theirs.text_encoder
    config = {
        key: getattr(text.config, key)
        for key in (
            "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "vocab_size", "max_position_embeddings", "bos_token_id", "eos_token_id",
        )
    }  # fmt: skip
    build = with_clip.conditioners.build
    conditioner = build("clip_text", {**config, "pad_token_id": 2})
    conditioner.text_model.load_state_dict(text.state_dict(), strict=False)
    conditioner.eval().requires_grad_(False)
    return {
        "denoiser": denoiser,
        "conditioners.text": Component(
            "conditioner", "latelier-transformers/clip_text", "1.0", conditioner
        ),
    }


def predict(ours, theirs):
    """Return the predictions of both for tokens that each encodes itself."""
    generator = torch.Generator().manual_seed(0)
    x, t = torch.randn(2, 4, 8, 8, generator=generator), torch.tensor([30.0, 800.0])
    tokens = torch.tensor([[0, 5, 9, 2, 2, 2, 2], [0, 7, 2, 2, 2, 2, 2]])
    with torch.no_grad():
        stream = ours["conditioners.text"].module({"tokens": tokens}, None).stream
        condition = Condition.of({"text": ConditionPart(Stream(stream.tokens))})
        found = ours["denoiser"].module(x, t, condition)
        context = theirs.text_encoder(tokens).last_hidden_state
        torch.testing.assert_close(stream.tokens, context, rtol=1e-4, atol=1e-5)
        return found, theirs.unet(x, t, context).sample


def assert_equal(ours, theirs, changed_from):
    found, wanted = predict(ours, theirs)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())
    assert (found - changed_from).abs().max() > 1e-2 * found.abs().max()


def is_known_to_kohya(address):
    """Return whether diffusers finds the layer in a file of kohya's: attentions alone."""
    return any(part in address for part in ("attn", "proj_in", "proj_out", "self_attn", "ff"))


# diffusers 0.42 loses the alphas of single layers of kohya's files ("alpha_pattern keys did not
# match"), so these have one for all
@pytest.mark.parametrize(
    ("layout", "sizes"),
    [("diffusers", {}), ("kohya", {"ranks": (3,), "alphas": (2.0,)})],
)
def test_diffusers_reads_our_files(ours, theirs, tmp_path, layout, sizes):
    before, same = predict(ours, theirs)
    torch.testing.assert_close(before, same, rtol=1e-4, atol=1e-4 * same.abs().max().item())
    only = is_known_to_kohya if layout == "kohya" else lambda address: True
    lora = draw_lora(ours, only=only, **sizes)
    write_lora(tmp_path / "a.safetensors", lora, ours, layout)
    merged = {**ours, **merge(ours, [(lora, 1.0)])}
    theirs.load_lora_weights(str(tmp_path), weight_name="a.safetensors")
    assert_equal(merged, theirs, before)


def test_we_read_the_files_of_diffusers(ours, theirs, tmp_path):
    before, _ = predict(ours, theirs)
    config = {"r": 4, "lora_alpha": 6, "init_lora_weights": False}
    torch.manual_seed(0)
    theirs.unet.add_adapter(
        peft.LoraConfig(
            **config,
            target_modules=["to_q", "to_out.0", "conv1", "time_emb_proj", "conv_in", "proj_in"],
            alpha_pattern={"conv_in": 3},
            rank_pattern={"conv_in": 2},
        )
    )
    theirs.text_encoder.add_adapter(peft.LoraConfig(**config, target_modules=["k_proj", "fc1"]))
    for model in (theirs.unet, theirs.text_encoder):
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data.normal_(std=0.1)
    theirs.save_lora_weights(
        tmp_path,
        unet_lora_layers=peft.get_peft_model_state_dict(theirs.unet),
        text_encoder_lora_layers=peft.get_peft_model_state_dict(theirs.text_encoder),
        unet_lora_adapter_metadata=theirs.unet.peft_config["default"].to_dict(),
        text_encoder_lora_adapter_metadata=theirs.text_encoder.peft_config["default"].to_dict(),
    )
    lora = read_lora(tmp_path / "pytorch_lora_weights.safetensors", ours)
    assert len(lora.layers) > 20
    merged = {**ours, **merge(ours, [(lora, 1.0)])}
    assert_equal(merged, theirs, before)


def test_every_layer_has_a_name_there(ours, theirs, tmp_path):
    """All layers of both models are layers of diffusers' models under the names of our files."""
    from safetensors.torch import load_file

    write_lora(tmp_path / "a.safetensors", draw_lora(ours), ours, "diffusers")
    names = {name.partition(".lora_")[0] for name in load_file(tmp_path / "a.safetensors")}
    kinds = torch.nn.Linear | torch.nn.Conv2d
    wanted = {
        f"{prefix}.{name}"
        for prefix, model in (("unet", theirs.unet), ("text_encoder", theirs.text_encoder))
        for name, layer in model.named_modules()
        if isinstance(layer, kinds)
    }
    without_level = {name.replace("text_encoder.text_model.", "text_encoder.") for name in names}
    assert without_level == wanted
    assert len(find_layers(modules_of(ours))) == len(wanted)


def save_stable_diffusion(theirs, folder):
    """Save the pipeline with a tokenizer of single letters."""
    folder.mkdir()
    for name in ("unet", "text_encoder", "vae", "scheduler"):
        getattr(theirs, name).save_pretrained(folder / name)
    (folder / "tokenizer").mkdir()
    letters = ["!", *"abcdefgh", *(f"{each}</w>" for each in "abcdefgh")]
    words = [*letters, "<|startoftext|>", "<|endoftext|>"]
    ids = {word: number for number, word in enumerate(words)}
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(ids))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer" / "special_tokens_map.json").write_text('{"pad_token": "!"}')
    classes = {
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(classes))
    return folder


def sample_ddim(denoise, scheduler, latents, steps):
    """Return what DDIM makes of latents; in the VE frame it is Euler's method."""
    scheduler.set_timesteps(steps)
    alphas = [scheduler.alphas_cumprod[t] for t in scheduler.timesteps]
    alphas.append(scheduler.final_alpha_cumprod)
    sigmas = [float(((1 - alpha) / alpha).sqrt()) for alpha in alphas]
    x = latents / alphas[0].sqrt()
    for sigma, sigma_next in pairwise(sigmas):
        x0 = denoise(x, sigma)
        x = x0 + (x - x0) * (sigma_next / sigma)
    return x * alphas[-1].sqrt()


def test_a_picture_with_a_lora_is_that_of_diffusers(theirs, tmp_path, with_clip):
    vae = diffusers.AutoencoderKL(
        block_out_channels=(16, 32),
        norm_num_groups=8,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
    )
    schedule = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    theirs.vae, theirs.scheduler = (
        fill(vae, seed=2),
        diffusers.DDIMScheduler(
            **schedule, steps_offset=1, clip_sample=False, set_alpha_to_one=False
        ),
    )
    folder = save_stable_diffusion(theirs, tmp_path / "theirs")
    import_model(folder, tmp_path / "ours", atelier=with_clip)
    pipe = load(tmp_path / "ours", "cpu", "float32", atelier=with_clip)
    write_lora(
        tmp_path / "a.safetensors", draw_lora(pipe.base_components()), pipe.base_components()
    )
    view = pipe.with_adapter(tmp_path / "a.safetensors", 0.6)

    theirs = diffusers.StableDiffusionPipeline.from_pretrained(folder)
    theirs.tokenizer.model_max_length = 7
    theirs.set_progress_bar_config(disable=True)
    theirs.load_lora_weights(str(tmp_path), weight_name="a.safetensors", adapter_name="a")
    theirs.set_adapters(["a"], [0.6])
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    options = {"prompt": "a bc", "guidance_scale": 3.0, "num_inference_steps": 4}
    size = {"height": 16, "width": 16}
    wanted = theirs(latents=latents, output_type="latent", **options, **size).images

    with torch.no_grad():
        denoise = view.denoise_fn(prompt="a bc", guidance=3.0, size=16)
        found = sample_ddim(denoise, theirs.scheduler, latents, 4)
        plain = sample_ddim(
            pipe.denoise_fn(prompt="a bc", guidance=3.0, size=16), theirs.scheduler, latents, 4
        )
    scale = wanted.abs().max().item()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * scale)
    assert (found - plain).abs().max() > 0.05 * scale
