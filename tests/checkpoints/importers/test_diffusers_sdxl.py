"""Folders of Stable Diffusion XL: every part gives the numbers that it gives in diffusers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import latelier
from latelier.checkpoints.importers.diffusers.importer import Diffusers
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.conversion.importing import import_model

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

LETTERS = ["!", *"abcdefgh", *(f"{each}</w>" for each in "abcdefgh")]
TOKENS = [*LETTERS, "<|startoftext|>", "<|endoftext|>"]
PROMPT = "a bc"
POOLED = 32
"""Width of the text's vector."""

NUMBER = 8
"""Width of each number that says how a picture was cut."""


def randomised(model: nn.Module) -> nn.Module:
    """Give every parameter, the zero-initialised ones too, values that keep a network finite."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            fan = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(noise / fan**0.5 + (parameter.ndim == 1))
    return model.eval()


def clip(kind: str, width: int, act: str) -> nn.Module:
    config = transformers.CLIPTextConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        vocab_size=len(TOKENS),
        max_position_embeddings=7,
        bos_token_id=len(TOKENS) - 2,
        eos_token_id=len(TOKENS) - 1,
        hidden_act=act,
        projection_dim=width,
    )
    return randomised(getattr(transformers, kind)(config))


def tokenizer(folder: Path, padding: str) -> Any:
    folder.mkdir(parents=True)
    ids = {name: number for number, name in enumerate(TOKENS)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer.from_pretrained(folder, pad_token=padding, model_max_length=7)


def unet(*, refiner: bool, channels: int) -> nn.Module:
    levels = 4 if refiner else 3
    attends = [0 < level < 3 for level in range(levels)]
    return randomised(
        diffusers.UNet2DConditionModel(
            sample_size=8,
            in_channels=channels,
            out_channels=4,
            layers_per_block=1,
            block_out_channels=(32, 64, 64, 64)[:levels],
            down_block_types=[f"{'CrossAttn' * each}DownBlock2D" for each in attends],
            up_block_types=[f"{'CrossAttn' * each}UpBlock2D" for each in reversed(attends)],
            attention_head_dim=(2, 4, 4, 4)[:levels],
            transformer_layers_per_block=2 if refiner else (1, 2, 1),
            cross_attention_dim=POOLED if refiner else 24 + POOLED,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=NUMBER,
            projection_class_embeddings_input_dim=POOLED + NUMBER * (5 if refiner else 6),
        )
    )


def discrete_euler() -> Any:
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )


def pipeline(
    folder: Path,
    *,
    refiner: bool = False,
    channels: int = 4,
    scheduler: Any = None,
    latents: Mapping[str, Any] | None = None,
) -> Any:
    """Save a small Stable Diffusion XL as diffusers does, and return its pipeline.

    latents: options of the first stage's latents.
    """
    two = refiner or channels == 9
    kind = diffusers.StableDiffusionXLPipeline
    if two:
        kind = diffusers.StableDiffusionXLImg2ImgPipeline
    if channels == 9:
        kind = diffusers.StableDiffusionXLInpaintPipeline
    pipe = kind(
        vae=randomised(
            diffusers.AutoencoderKL(
                block_out_channels=(32, 64),
                down_block_types=["DownEncoderBlock2D"] * 2,
                up_block_types=["UpDecoderBlock2D"] * 2,
                layers_per_block=1,
                **(latents or {"scaling_factor": 0.13025}),
            )
        ),
        text_encoder=None if refiner else clip("CLIPTextModel", 24, "quick_gelu"),
        text_encoder_2=clip("CLIPTextModelWithProjection", POOLED, "gelu"),
        tokenizer=None if refiner else tokenizer(folder / "of" / "one", "<|endoftext|>"),
        tokenizer_2=tokenizer(folder / "of" / "two", "!"),
        unet=unet(refiner=refiner, channels=channels),
        scheduler=scheduler or discrete_euler(),
        force_zeros_for_empty_prompt=not refiner,
        add_watermarker=False,
        **({"requires_aesthetics_score": refiner} if two else {}),
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(folder / "theirs")
    return pipe


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def close(found: Tensor, wanted: Tensor) -> None:
    assert wanted.abs().max() > 1e-3
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


def imported(tmp_path: Path, atelier: Any) -> Any:
    import_model(tmp_path / "theirs", tmp_path / "ours", atelier=atelier)
    return latelier.load(tmp_path / "ours", device="cpu", atelier=atelier)


@pytest.mark.parametrize("refiner", [False, True], ids=["base", "refiner"])
def test_prompts_and_predictions_are_those_of_diffusers(tmp_path, with_clip, refiner):
    theirs = pipeline(tmp_path, refiner=refiner)
    ours = imported(tmp_path, with_clip)
    x, t = noise(1, 4, 8, 8), torch.tensor([500.0])
    geometry = PictureGeometry((16, 16), (8, 8))
    numbers = [16.0, 16, 0, 0, 6] if refiner else [16.0, 16, 0, 0, 16, 16]
    with torch.no_grad():
        tokens, null_tokens, pooled, null_pooled = theirs.encode_prompt(PROMPT, device="cpu")
        added = {"text_embeds": pooled, "time_ids": torch.tensor([numbers])}
        wanted = theirs.unet(x, t, tokens, added_cond_kwargs=added).sample
        text = ours.conditioners["text"].encode([PROMPT])
        null = ours.conditioners["text"].null(1, geometry)
        size = ours.conditioners["picture_size"].null(1, geometry)
        close(text.stream.tokens, tokens)
        close(text.vector, pooled)
        assert bool(null_tokens.any()) == refiner
        torch.testing.assert_close(null.stream.tokens, null_tokens, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(null.vector, null_pooled, rtol=1e-5, atol=1e-5)
        condition = Condition(
            {"text": text.stream}, vectors={"text": text.vector, "picture_size": size.vector}
        )
        close(ours.denoiser(x, t, condition), wanted)


EDM_LATENTS = {
    "scaling_factor": 0.5,
    "latents_mean": [-1.6574, 1.886, -1.383, 2.5155],
    "latents_std": [8.4927, 5.9022, 6.5498, 5.2299],
}
"""Those of Playground 2.5."""


@pytest.mark.parametrize("kind", ["vp", "edm"])
def test_pictures_are_those_of_diffusers(tmp_path, with_clip, kind):
    is_edm = kind == "edm"
    scheduler = diffusers.EDMEulerScheduler() if is_edm else discrete_euler()
    theirs = pipeline(tmp_path, scheduler=scheduler, latents=EDM_LATENTS if is_edm else None)
    ours = imported(tmp_path, with_clip)
    assert ours.process.kind == kind
    assert ours.defaults.size == (16, 16)
    assert ours.defaults.guidance.options["scale"] == 5.0
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    wanted = theirs(
        PROMPT, latents=latents, num_inference_steps=3, height=16, width=16, output_type="np"
    ).images[0]
    found = np.asarray(ours.generate(prompt=PROMPT, seed=3, steps=3)[0].image)
    assert wanted.std() > 0.05
    assert np.abs(found / 255 - wanted).max() < 1.01 / 255


def test_inpainting_takes_a_mask(tmp_path, with_clip):
    pipeline(tmp_path, channels=9)
    ours = imported(tmp_path, with_clip)
    assert ours.denoiser.config.spatial == {"mask": 5}
    grey = np.full((16, 16, 3), 99, np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    picture = ours.generate(prompt=PROMPT, init_image=grey, mask=mask, seed=0, steps=2)[0]
    assert picture.image.size == (16, 16)


def test_weights_stay_in_half_precision(tmp_path, with_clip):
    pipeline(tmp_path).to(torch.float16).save_pretrained(tmp_path / "theirs", variant="fp16")
    for path in (tmp_path / "theirs").rglob("*.safetensors"):
        if "fp16" not in path.name:
            path.unlink()
    report = import_model(tmp_path / "theirs", tmp_path / "ours", atelier=with_clip)
    assert {each.precision for each in report.components.values()} <= {"float16", ""}
    stored = sum(path.stat().st_size for path in (tmp_path / "ours").glob("*.safetensors"))
    given = sum(path.stat().st_size for path in (tmp_path / "theirs").rglob("*.safetensors"))
    assert stored == pytest.approx(given, rel=0.02)


@pytest.mark.parametrize(
    ("file", "change", "why"),
    [
        ("unet/config.json", {"addition_time_embed_dim": None}, "expected an addition_time_embed"),
        ("unet/config.json", {"transformer_layers_per_block": [1, 2]}, "per_block has 2 levels"),
        ("unet/config.json", {"addition_embed_type": "image"}, "'addition_embed_type'"),
        ("text_encoder_2/config.json", {"model_type": "bert"}, "text encoder 'bert' is not supp"),
    ],
)
def test_unsupported_configurations_are_refused(tmp_path, with_clip, file, change, why):
    pipeline(tmp_path)
    path = tmp_path / "theirs" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises((InvalidConfigError, ModelFileError), match=why):
        import_model(tmp_path / "theirs", tmp_path / "ours", atelier=with_clip)
    assert not (tmp_path / "ours").exists()


def test_a_missing_text_encoder_is_refused(tmp_path):
    pipeline(tmp_path)
    (tmp_path / "theirs" / "tokenizer_2").rename(tmp_path / "moved")
    with pytest.raises(ModelFileError, match="tokenizer_2: folder not found"):
        Diffusers().check(open_source(tmp_path / "theirs", None, {}))
