"""The same weights give the same pictures in diffusers and here, and travel both ways bit for bit.

The reference is diffusers' own code.
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import latelier
from latelier.checkpoints.component import load_component, new_component
from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.diffusers.configs.first_stage import (
    autoencoder_config_to_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.unet import unet_config_to_diffusers
from latelier.checkpoints.importers.diffusers.importer import Diffusers
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    ModelFileError,
)
from latelier.conversion.exporting import export_model
from latelier.conversion.importing import import_model
from latelier.denoisers.configs import UNetConfig
from latelier.first_stages.configs import AutoencoderKLConfig, AutoencoderVQConfig
from latelier.nn.sinusoids import embed_numbers

diffusers = pytest.importorskip("diffusers")


def randomised(model: nn.Module) -> nn.Module:
    """Give every parameter, the zero-initialised ones too, values that keep a deep network finite.

    Norms are near the identity, and off it, so that a swapped one shows.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            fan = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(noise / fan**0.5 + (parameter.ndim == 1))
    return model.eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def relative(found: Tensor, wanted: Tensor) -> float:
    assert wanted.abs().max() > 1e-3
    return float((found - wanted).abs().max() / wanted.abs().max())


def plain_unet(widths: tuple[int, ...] = (32, 64), **changes: Any) -> nn.Module:
    attends = [False, *[True] * (len(widths) - 1)]
    down = [f"{'Attn' * each}DownBlock2D" for each in attends]
    up = [f"{'Attn' * each}UpBlock2D" for each in reversed(attends)]
    types = {"down_block_types": down, "up_block_types": up}
    given = {"sample_size": 8, "layers_per_block": 1, **types, **changes}
    return randomised(diffusers.UNet2DModel(block_out_channels=widths, **given))


def cross_unet(widths: tuple[int, ...] = (32, 64), **changes: Any) -> nn.Module:
    down = [*["CrossAttnDownBlock2D"] * (len(widths) - 1), "DownBlock2D"]
    up = ["UpBlock2D", *["CrossAttnUpBlock2D"] * (len(widths) - 1)]
    types = {"down_block_types": down, "up_block_types": up}
    given = {"cross_attention_dim": 24, "layers_per_block": 1, "sample_size": 8, **types, **changes}
    model = diffusers.UNet2DConditionModel(block_out_channels=widths, **given)
    return randomised(model)


def autoencoder(
    kind: str, widths: tuple[int, ...], attends: bool = False, **changes: Any
) -> nn.Module:
    last = f"{'Attn' * attends}"
    down = [*["DownEncoderBlock2D"] * (len(widths) - 1), f"{last}DownEncoderBlock2D"]
    up = [f"{last}UpDecoderBlock2D", *["UpDecoderBlock2D"] * (len(widths) - 1)]
    model = getattr(diffusers, kind)(
        block_out_channels=widths,
        down_block_types=down,
        up_block_types=up,
        sample_size=32,
        **{"layers_per_block": 1, **changes},
    )
    return randomised(model)


@pytest.fixture
def imported(tmp_path: Path, built_ins):
    """Save a model of diffusers, and import it."""

    def it(model: nn.Module, place: str, **save: Any) -> nn.Module:
        folder = tmp_path / "theirs"
        model.save_pretrained(folder, **save)
        source = open_source(folder, None, {})
        assert Diffusers().recognizes(source)
        return build_part(place, Diffusers().read(source).parts[place], built_ins).module

    return it


@pytest.fixture
def travelled(tmp_path: Path, built_ins):
    """Save a model of diffusers, import it, export it, and load it there."""

    def it(model: nn.Module) -> nn.Module:
        model.save_pretrained(tmp_path / "theirs")
        import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)
        export_model(tmp_path / "ours", tmp_path / "back", atelier=built_ins)
        return type(model).from_pretrained(tmp_path / "back")

    return it


RESIDUAL = {
    "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "downsample_type": "resnet",
    "upsample_type": "resnet",
}
SCALED = {"resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 32}

PLAIN = {
    "as celeba": {"attention_head_dim": 16, "widths": (32, 64, 96), "layers_per_block": 2},
    "one head": {"attention_head_dim": None},
    "scale and shift": {"attention_head_dim": 8, **SCALED},
    "residual sampling": {"attention_head_dim": 32, **RESIDUAL, **SCALED},
}
CROSS = {
    "as SD 1": {"attention_head_dim": 2, "widths": (32, 64, 64)},
    "as SD 2": {"attention_head_dim": (2, 4), "use_linear_projection": True},
    "deep": {"attention_head_dim": 4, "transformer_layers_per_block": 2},
}


@pytest.mark.parametrize("name", PLAIN)
def test_unets_without_a_context_are_imported(imported, name):
    theirs = plain_unet(**PLAIN[name])
    ours = imported(theirs, "denoiser")
    x, t = noise(2, 3, 8, 8), torch.tensor([3.0, 800.0])
    with torch.no_grad():
        assert relative(ours(x, t, Condition()), theirs(x, t).sample) < 1e-4


@pytest.mark.parametrize("name", CROSS)
def test_unets_with_a_context_are_imported(imported, name):
    theirs = cross_unet(**CROSS[name])
    ours = imported(theirs, "denoiser")
    x, t, context = noise(2, 4, 8, 8), torch.tensor([3.0, 800.0]), noise(2, 5, 24)
    with torch.no_grad():
        found = ours(x, t, Condition({"text": Stream(context)}))
        assert relative(found, theirs(x, t, context).sample) < 1e-4


XL = {
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
}
XL_UNETS = {
    "base": (
        [False, True, True],
        6,
        {"widths": (32, 64, 128), "attention_head_dim": (2, 4, 8), "layers_per_block": 2},
        {"transformer_layers_per_block": (1, 2, 3)},
    ),
    "refiner": (
        [False, True, True, False],
        5,
        {"widths": (32, 64, 128, 128), "attention_head_dim": (2, 4, 8, 8)},
        {"transformer_layers_per_block": 2},
    ),
}
POOLED = {"base": 20, "refiner": 24}
"""Width of the text's vector; the refiner's is that of its tokens."""


@pytest.mark.parametrize("name", XL_UNETS)
def test_unets_of_sdxl_are_imported(imported, name):
    attends, count, sizes, depth = XL_UNETS[name]
    theirs = cross_unet(
        **XL,
        **sizes,
        **depth,
        projection_class_embeddings_input_dim=POOLED[name] + 8 * count,
        down_block_types=[f"{'CrossAttn' * each}DownBlock2D" for each in attends],
        up_block_types=[f"{'CrossAttn' * each}UpBlock2D" for each in reversed(attends)],
    )
    ours = imported(theirs, "denoiser")
    assert ours.config.joint_vectors == ("text", "picture_size")
    x, t, context = noise(2, 4, 8, 8), torch.tensor([3.0, 800.0]), noise(2, 5, 24)
    pooled, numbers = noise(2, POOLED[name]), 100 * noise(2, count).abs()
    vectors = {"text": pooled, "picture_size": embed_numbers(numbers, 8).flatten(1)}
    added = {"text_embeds": pooled, "time_ids": numbers}
    with torch.no_grad():
        found = ours(x, t, Condition({"text": Stream(context)}, vectors=vectors))
        assert relative(found, theirs(x, t, context, added_cond_kwargs=added).sample) < 1e-5


@pytest.mark.parametrize(
    ("widths", "attends", "latents"),
    [((32, 64, 64), False, 3), ((32, 32, 64, 64), False, 4), ((32, 32, 32, 64, 64), True, 16)],
    ids=["f4", "f8", "f16"],
)
def test_kl_autoencoders_are_imported(imported, widths, attends, latents):
    theirs = autoencoder("AutoencoderKL", widths, attends, latent_channels=latents)
    ours = imported(theirs, "first_stage")
    scale = theirs.config.scaling_factor
    images, z = noise(1, 3, 32, 32), noise(1, latents, 4, 4)
    with torch.no_grad():
        wanted = theirs.encode(images).latent_dist.mean * scale
        assert relative(ours.encode(images), wanted) < 1e-4
        assert relative(ours.decode(z * scale), theirs.decode(z).sample) < 1e-4


@pytest.mark.parametrize("attends", [True, False])
def test_vq_autoencoders_are_imported(imported, attends):
    theirs = autoencoder("VQModel", (32, 64, 64), attends, num_vq_embeddings=50, scaling_factor=1.0)
    ours = imported(theirs, "first_stage")
    images, z = noise(1, 3, 16, 16), noise(1, 3, 8, 8)
    with torch.no_grad():
        assert relative(ours.encode(images), theirs.encode(images).latents) < 1e-4
        assert relative(ours.decode(z), theirs.decode(z).sample) < 1e-4


def test_an_autoencoder_without_attention_is_imported(imported):
    theirs = autoencoder("VQModel", (32, 64), mid_block_add_attention=False, scaling_factor=1.0)
    ours = imported(theirs, "first_stage")
    assert ours.config.attn_type == "none"
    z = noise(1, 3, 8, 8)
    with torch.no_grad():
        assert relative(ours.decode(z), theirs.decode(z).sample) < 1e-4


def test_tiny_autoencoders_are_imported(imported):
    theirs = randomised(diffusers.AutoencoderTiny(num_encoder_blocks=(1, 1, 1, 1)))
    ours = imported(theirs, "first_stage")
    images, z = noise(1, 3, 32, 32).clamp(-1, 1), noise(1, 4, 4, 4)
    with torch.no_grad():
        assert relative(ours.encode(images), theirs.encode(images).latents) < 1e-4
        assert relative(ours.decode(z), theirs.decode(z).sample) < 1e-4


TRAVELLERS = {
    **{f"plain, {name}": partial(plain_unet, **given) for name, given in PLAIN.items()},
    **{f"cross, {name}": partial(cross_unet, **given) for name, given in CROSS.items()},
    "a gaussian": lambda: autoencoder("AutoencoderKL", (32, 64, 64), True),
    "codes": lambda: autoencoder("VQModel", (32, 64), mid_block_add_attention=False),
    "tiny": lambda: randomised(diffusers.AutoencoderTiny(num_decoder_blocks=(1, 1, 1, 1))),
}


@pytest.mark.parametrize("name", TRAVELLERS)
def test_export_and_import_preserve_every_bit(travelled, name):
    model = TRAVELLERS[name]()
    back = travelled(model)
    state, wanted = back.state_dict(), model.state_dict()
    assert state.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert torch.equal(state[key], tensor), key
    left = {"sample_size", "force_upcast", "attn_norm_num_groups", "vq_embed_dim"}
    for key in model.config.keys() - left:
        if not key.startswith("_"):
            theirs, ours = model.config[key], back.config[key]
            alike = [list(each) if isinstance(each, tuple) else each for each in (theirs, ours)]
            assert alike[0] == alike[1], key


@pytest.mark.parametrize("save", [{"safe_serialization": False}, {"max_shard_size": "20KB"}])
def test_pickled_and_sharded_weights_are_read(imported, save, monkeypatch):
    from latelier.checkpoints.pickles import copies, worker

    monkeypatch.setattr(copies, "convert_in_subprocess", worker.convert)
    theirs = plain_unet(attention_head_dim=8)
    ours = imported(theirs, "denoiser", **save)
    wanted = theirs.conv_in.weight
    assert torch.equal(ours.state_dict()["input_blocks.0.0.weight"], wanted)


def test_former_attention_names_are_read(imported, tmp_path):
    from safetensors.torch import load_file, save_file

    theirs = autoencoder("AutoencoderKL", (32, 64))
    theirs.save_pretrained(tmp_path / "theirs")
    path = tmp_path / "theirs" / "diffusion_pytorch_model.safetensors"
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for name, tensor in load_file(path).items():
        new = next((each for each in former if f".{each}." in name), None)
        state[name.replace(f".{new}.", f".{former[new]}.") if new else name] = tensor
    save_file(state, path)
    source = open_source(tmp_path / "theirs", None, {})
    part = Diffusers().read(source).parts["first_stage"]
    query = part.tensors["encoder.mid.attn_1.q.weight"][:, :, 0, 0]
    assert torch.equal(query, theirs.encoder.mid_block.attentions[0].to_q.weight)


def pipeline_folder(folder: Path, scheduler: Any = None) -> Path:
    """Save an unconditional model of latents as diffusers does."""
    scheduler = scheduler or diffusers.DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        num_train_timesteps=100,
    )
    autoencoder("AutoencoderKL", (32, 64), latent_channels=4).save_pretrained(folder / "vae")
    unet = plain_unet(attention_head_dim=8, in_channels=4, out_channels=4)
    unet.save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    names = {"vae": "AutoencoderKL", "unet": "UNet2DModel", "scheduler": type(scheduler).__name__}
    index = ", ".join(f'"{key}": ["diffusers", "{value}"]' for key, value in names.items())
    (folder / "model_index.json").write_text(f'{{"_class_name": "LDMPipeline", {index}}}')
    return folder


def test_a_pipeline_is_imported(tmp_path, built_ins):
    folder = pipeline_folder(tmp_path / "theirs")
    report = import_model(folder, tmp_path / "ours", atelier=built_ins)
    assert (report.importer, report.standalone_kind) == ("latelier/diffusers", None)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins)
    assert pipe.defaults.size == (16, 16)
    options = {"spacing": "leading", "offset": 1, "final": "first"}
    assert pipe.defaults.schedule.model_dump() == {"name": "model", "options": options}
    assert (pipe.process.beta_schedule, pipe.process.steps) == ("scaled_linear", 100)
    assert pipe.generate(seed=0, steps=3)[0].image.size == (16, 16)

    report = export_model(tmp_path / "ours", tmp_path / "back", atelier=built_ins)
    assert report.components["unet"] == "UNet2DModel"
    back = diffusers.LDMPipeline.from_pretrained(tmp_path / "back")
    unet = diffusers.UNet2DModel.from_pretrained(folder / "unet")
    assert all(
        torch.equal(back.unet.state_dict()[name], tensor)
        for name, tensor in unet.state_dict().items()
    )
    assert back.scheduler.config.beta_start == 0.0015
    assert back.vqvae.config.scaling_factor == 0.18215


def test_an_export_keeps_the_stored_precision(tmp_path, built_ins):
    folder = pipeline_folder(tmp_path / "theirs")
    for part in (folder / "unet", folder / "vae"):
        (path,) = part.glob("*.safetensors")
        save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path)
    import_model(folder, tmp_path / "ours", atelier=built_ins)
    export_model(tmp_path / "ours", tmp_path / "back", atelier=built_ins)
    for part in ("unet", "vqvae"):
        (path,) = (tmp_path / "back" / part).glob("*.safetensors")
        assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}


@pytest.mark.parametrize(("kind", "scale"), [("VQModel", 1.0), ("AutoencoderKL", 0.18215)])
def test_a_missing_scaling_factor_has_the_default_of_its_class(tmp_path, built_ins, kind, scale):
    folder = pipeline_folder(tmp_path / "theirs")
    autoencoder(kind, (32, 64), latent_channels=4).save_pretrained(folder / "vae")
    config = folder / "vae" / "config.json"
    values = json.loads(config.read_text())
    del values["scaling_factor"]
    config.write_text(json.dumps(values))
    report = import_model(folder, tmp_path / "ours", atelier=built_ins)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins)
    assert pipe.first_stage.config.scale_factor == scale
    assert any("latents are not scaled" in note for note in report.notes) == (scale == 1)


def test_a_model_without_equivalent_is_not_exported(tiny, tmp_path, built_ins):
    tiny.save(tmp_path / "ours")
    with pytest.raises(CompatibilityError, match="the process 'rectified_flow' cannot"):
        export_model(tmp_path / "ours", tmp_path / "back", atelier=built_ins)
    assert not (tmp_path / "back").exists()


SCHEDULERS = [
    (diffusers.DDIMScheduler, {"beta_schedule": "scaled_linear"}),
    (diffusers.DDPMScheduler, {"prediction_type": "v_prediction"}),
    (diffusers.DDPMScheduler, {"beta_schedule": "squaredcos_cap_v2"}),
    (diffusers.PNDMScheduler, {"beta_start": 0.00085, "beta_end": 0.012}),
    (
        diffusers.DDIMScheduler,
        {"rescale_betas_zero_snr": True, "prediction_type": "sample"},
    ),
]


@pytest.mark.parametrize(("scheduler", "changes"), SCHEDULERS)
def test_the_scheduler_becomes_the_process(scheduler, changes):
    from latelier.checkpoints.importers.diffusers.configs.scheduler import process_from_diffusers
    from latelier.diffusion.processes.kinds import process_from

    theirs = scheduler(**changes)
    config = dict(theirs.config) | {"_class_name": scheduler.__name__}
    process = process_from(process_from_diffusers(config))
    abar = theirs.alphas_cumprod.double()
    sigmas = torch.tensor(process.sigmas, dtype=torch.float64)
    if process.frame == "flow":
        sigmas = sigmas / (1 - sigmas)
    wanted = ((1 - abar) / abar).sqrt()
    inside = slice(0, -1) if process.frame == "flow" else slice(None)
    assert torch.allclose(sigmas[inside], wanted[inside], rtol=1e-3)
    names = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
    assert process.prediction == names[theirs.config.prediction_type]


def test_the_process_becomes_a_scheduler_again():
    from latelier.checkpoints.importers.diffusers.configs.scheduler import (
        process_from_diffusers,
        scheduler_to_diffusers,
    )
    from latelier.diffusion.processes.vp import VP

    process = VP(beta_schedule="cosine", prediction="v", steps=200)
    there = diffusers.DDIMScheduler.from_config(scheduler_to_diffusers(process))
    assert there.config.beta_schedule == "squaredcos_cap_v2"
    config = dict(there.config) | {"_class_name": "DDIMScheduler"}
    assert process_from_diffusers(config) == process.model_dump(exclude={"timestep_rounding"})
    with pytest.raises(CompatibilityError, match="no beta_schedule 'sqrt'"):
        scheduler_to_diffusers(VP(beta_schedule="sqrt"))


@pytest.mark.parametrize(
    ("spacing", "offset"), [("leading", 1), ("leading", 0), ("trailing", 0), ("linspace", 0)]
)
def test_the_schedule_chooses_the_same_training_steps(spacing, offset, built_ins):
    from latelier.checkpoints.importers.diffusers.configs.scheduler import (
        process_from_diffusers,
        schedule_from_diffusers,
    )
    from latelier.diffusion.processes.kinds import process_from

    theirs = diffusers.DDIMScheduler(
        timestep_spacing=spacing, steps_offset=offset, set_alpha_to_one=False
    )
    theirs.set_timesteps(20)
    config = dict(theirs.config) | {"_class_name": "DDIMScheduler"}
    process, choice = process_from(process_from_diffusers(config)), schedule_from_diffusers(config)
    grid = built_ins.schedules.get(choice["name"])(20, process, **choice["options"])
    found = [float(process.timestep(sigma)) for sigma in grid.sigmas[:-1]]
    assert found == [float(step) for step in theirs.timesteps]


@pytest.mark.parametrize(
    ("file", "change", "why"),
    [
        ("unet/config.json", ('"silu"', '"mish"'), "act_fn: mish; supported is silu"),
        ("unet/config.json", ('"UNet2DModel"', '"UNet3DModel"'), "'UNet3DModel' is not supported"),
        (
            "unet/config.json",
            ('"freq_shift": 0', '"freq_shift": 1'),
            "freq_shift: 1; supported",
        ),
        ("unet/config.json", ('"add_attention"', '"ad_attention"'), "'ad_attention'.*Did you mean"),
        ("unet/config.json", ('"AttnUpBlock2D"', '"UpBlock2D"'), "attends at other levels"),
        ("scheduler/scheduler_config.json", ('"scaled_linear"', '"cosine"'), "beta_schedule 'cos"),
        ("scheduler/scheduler_config.json", ('"leading"', '"lagging"'), "timestep_spacing 'lag"),
    ],
)
def test_unsupported_configurations_are_refused(tmp_path, built_ins, file, change, why):
    folder = pipeline_folder(tmp_path / "theirs")
    text = (folder / file).read_text()
    assert change[0] in text
    (folder / file).write_text(text.replace(*change))
    with pytest.raises(InvalidConfigError, match=why):
        import_model(folder, tmp_path / "ours", atelier=built_ins)


def test_incomplete_folders_are_refused(tmp_path, built_ins):
    folder = pipeline_folder(tmp_path / "theirs")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(tmp_path / "w")
    with pytest.raises(ModelFileError, match="unet: holds no weights called diffusion_pytorch"):
        import_model(folder, tmp_path / "ours", atelier=built_ins)
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "../../elsewhere.safetensors"}}'
    )
    with pytest.raises(ModelFileError, match="outside the folder"):
        import_model(folder, tmp_path / "ours", atelier=built_ins)


@pytest.mark.parametrize(
    ("file", "field"),
    [("vae/config.json", "scaling_factor"), ("scheduler/scheduler_config.json", "beta_end")],
)
@pytest.mark.parametrize("text", ["Infinity", "-Infinity", "NaN", "1e999"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, built_ins, file, field, text):
    folder = pipeline_folder(tmp_path / "theirs")
    config = json.loads((folder / file).read_text()) | {field: "?"}
    (folder / file).write_text(json.dumps(config).replace('"?"', text))
    with pytest.raises(InvalidConfigError, match=rf"{file}: .*'{field}': .* a finite number"):
        import_model(folder, tmp_path / "ours", atelier=built_ins)
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({}, "has no tokenizer"),
        ({"tokenizer": ["t", "B"]}, "tokenizer: folder not found"),
    ],
)
def test_a_missing_tokenizer_is_refused_before_the_weights_are_read(tmp_path, parts, why):
    folder = pipeline_folder(tmp_path / "theirs")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"bert": ["x", "LDMBertModel"], **parts}
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFileError, match=why):
        Diffusers().check(open_source(folder, None, {}))


def test_the_text_encoder_of_the_paper_is_imported(tmp_path, built_ins):
    from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import (
        LDMBertConfig,
        LDMBertModel,
    )

    config = LDMBertConfig(
        vocab_size=9, d_model=24, encoder_layers=2, encoder_ffn_dim=96, max_position_embeddings=7
    )
    theirs = randomised(LDMBertModel(config))
    folder = pipeline_folder(tmp_path / "theirs")
    theirs.save_pretrained(folder / "bert")
    cross_unet(cross_attention_dim=24, attention_head_dim=2).save_pretrained(folder / "unet")
    (folder / "tokenizer").mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "cat", "##s", "dog"]
    (folder / "tokenizer" / "vocab.txt").write_text("\n".join(words) + "\n")
    index = (folder / "model_index.json").read_text()
    (folder / "model_index.json").write_text(
        index.replace("{", '{"bert": ["x", "LDMBertModel"], "tokenizer": ["t", "B"],', 1)
    )
    report = import_model(folder, tmp_path / "ours", atelier=built_ins)
    assert report.components["conditioners.text"][0] == "latelier/bert_text"
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins)
    assert dict(pipe.inputs) == {"prompt": ("text",)}
    tokens = torch.tensor([[2, 4, 5, 6, 7, 3, 0]])
    with torch.no_grad():
        found = pipe.conditioners["text"].encode(["a red cats"]).stream.tokens
        assert relative(found, theirs.model(tokens).last_hidden_state) < 1e-4
    assert pipe.generate(prompt="a red cat", seed=0, steps=2)[0].image.size == (16, 16)


VOCABULARY = ["!", *"abcdefgh", *(f"{each}</w>" for each in "abcdefgh")]


def stable_diffusion_folder(folder: Path, padding: str) -> tuple[Path, Any]:
    """Save a small Stable Diffusion as diffusers does; return it with its text encoder."""
    transformers = pytest.importorskip("transformers")
    names = [*VOCABULARY, "<|startoftext|>", "<|endoftext|>"]
    config = transformers.CLIPTextConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        vocab_size=len(names),
        max_position_embeddings=7,
        bos_token_id=0,
        eos_token_id=2,
        hidden_act="gelu",
    )
    encoder = randomised(transformers.CLIPTextModel(config))
    pipeline_folder(folder)
    encoder.save_pretrained(folder / "text_encoder")
    cross_unet(attention_head_dim=2).save_pretrained(folder / "unet")
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    ids = {name: number for number, name in enumerate(names)}
    (tokenizer / "vocab.json").write_text(json.dumps(ids))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    (tokenizer / "special_tokens_map.json").write_text(json.dumps({"pad_token": padding}))
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "_class_name": "StableDiffusionPipeline",
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder, encoder


@pytest.mark.parametrize(("padding", "id_"), [("!", 0), ("<|endoftext|>", 18)])
def test_stable_diffusion_is_imported(tmp_path, with_clip, padding, id_):
    folder, encoder = stable_diffusion_folder(tmp_path / "theirs", padding)
    report = import_model(folder, tmp_path / "ours", atelier=with_clip)
    assert report.components["conditioners.text"][0] == "latelier-transformers/clip_text"
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    assert dict(pipe.inputs) == {"prompt": ("text",)}
    tokens = torch.tensor([[17, 9, 2, 11, 18, id_, id_]])  # start, "a", "bc", end, padding
    with torch.no_grad():
        found = pipe.conditioners["text"].encode(["a bc"]).stream.tokens
        assert relative(found, encoder(tokens).last_hidden_state) < 1e-4
    assert pipe.generate(prompt="a bc", seed=0, steps=2)[0].image.size == (16, 16)

    export_model(tmp_path / "ours", tmp_path / "back", atelier=with_clip)
    back = diffusers.StableDiffusionPipeline.from_pretrained(tmp_path / "back")
    state = back.text_encoder.state_dict()
    assert all(torch.equal(state[name], each) for name, each in encoder.state_dict().items())
    filled = back.tokenizer("a bc", padding="max_length", max_length=7).input_ids
    assert filled == tokens[0].tolist()
    with torch.no_grad():
        theirs = back.text_encoder(tokens).last_hidden_state
        assert relative(theirs, encoder(tokens).last_hidden_state) < 1e-6


ADDED_TOKENS = {
    "added_tokens.json": {"<toy>": 19, "<Style>": 20},
    "tokenizer_config.json": {
        "added_tokens_decoder": {"19": {"content": "<toy>"}, "20": {"content": "<Style>"}}
    },
    "tokenizer.json": {
        "added_tokens": [
            {"id": 18, "content": "<|endoftext|>"},
            {"id": 19, "content": "<toy>"},
            {"id": 20, "content": "<Style>"},
        ]
    },
}


@pytest.mark.parametrize("file", ADDED_TOKENS)
def test_tokens_of_textual_inversion_are_imported(tmp_path, with_clip, file):
    folder, encoder = stable_diffusion_folder(tmp_path / "theirs", "<|endoftext|>")
    encoder.resize_token_embeddings(21)
    encoder.save_pretrained(folder / "text_encoder")
    (folder / "tokenizer" / file).write_text(json.dumps(ADDED_TOKENS[file]))
    import_model(folder, tmp_path / "ours", atelier=with_clip)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    tokens = torch.tensor([[17, 9, 19, 20, 11, 18, 18]])
    with torch.no_grad():
        found = pipe.conditioners["text"].encode(["a<toy> <style>c"]).stream.tokens
        assert relative(found, encoder(tokens).last_hidden_state) < 1e-4

    export_model(tmp_path / "ours", tmp_path / "back", atelier=with_clip)
    back = diffusers.StableDiffusionPipeline.from_pretrained(tmp_path / "back")
    assert back.tokenizer("a <toy>").input_ids == [17, 9, 19, 18]


def test_padding_with_an_added_token_is_imported(tmp_path, with_clip):
    folder, encoder = stable_diffusion_folder(tmp_path / "theirs", "[PAD]")
    encoder.resize_token_embeddings(20)
    encoder.save_pretrained(folder / "text_encoder")
    (folder / "tokenizer" / "added_tokens.json").write_text('{"[PAD]": 19}')
    report = import_model(folder, tmp_path / "ours", atelier=with_clip)
    assert not any("rows of tokens" in note for note in report.notes)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    tokens = torch.tensor([[17, 9, 2, 11, 18, 19, 19]])
    with torch.no_grad():
        found = pipe.conditioners["text"].encode(["a bc"]).stream.tokens
        assert relative(found, encoder(tokens).last_hidden_state) < 1e-4


def test_rows_of_learnt_words_without_names_are_reported(tmp_path, with_clip):
    folder, encoder = stable_diffusion_folder(tmp_path / "theirs", "!")
    encoder.resize_token_embeddings(21)
    encoder.save_pretrained(folder / "text_encoder")
    report = import_model(folder, tmp_path / "ours", atelier=with_clip)
    assert any("21 rows of tokens, the tokenizer 19 tokens" in note for note in report.notes)


def test_extra_layers_in_the_file_are_ignored(tmp_path, with_clip):
    folder, encoder = stable_diffusion_folder(tmp_path / "theirs", "!")
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": 1}))
    import_model(folder, tmp_path / "ours", atelier=with_clip)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    assert pipe.conditioners["text"].config.num_hidden_layers == 1
    tokens = torch.tensor([[17, 9, 2, 11, 18, 0, 0]])
    shallow = type(encoder).from_pretrained(folder / "text_encoder")
    with torch.no_grad():
        found = pipe.conditioners["text"].encode(["a bc"]).stream.tokens
        assert relative(found, shallow(tokens).last_hidden_state) < 1e-4


def test_a_configuration_with_more_layers_than_the_file_is_an_error(tmp_path, with_clip):
    folder, _ = stable_diffusion_folder(tmp_path / "theirs", "!")
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": 3}))
    with pytest.raises(ModelFileError, match="layers"):
        import_model(folder, tmp_path / "ours", atelier=with_clip)


def test_stable_diffusion_without_the_plugin_is_an_error(tmp_path, built_ins):
    folder, _ = stable_diffusion_folder(tmp_path / "theirs", "!")
    with pytest.raises(ModelFileError, match=r"clip_text'.*: pip install ./plugins/latelier-tr"):
        import_model(folder, tmp_path / "ours", atelier=built_ins)
    assert not (tmp_path / "ours").exists()


def inpainting_folder(folder: Path) -> Path:
    """Save a small Stable Diffusion for inpainting, whose first stage has no noise to draw."""
    folder, _ = stable_diffusion_folder(folder, "!")
    cross_unet(attention_head_dim=2, in_channels=9).save_pretrained(folder / "unet")
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    with torch.no_grad():
        vae.quant_conv.weight[4:] = 0
        vae.quant_conv.bias[4:] = -60
    vae.save_pretrained(folder / "vae")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "_class_name": "StableDiffusionInpaintPipeline",
        "_diffusers_version": diffusers.__version__,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def picture_and_mask() -> tuple[Any, Any]:
    """Return a picture of 16 x 16 pixels, and a mask that divides some latent cells."""
    from PIL import Image

    levels = torch.randint(0, 256, (16, 16, 3), generator=torch.Generator().manual_seed(1))
    mask = Image.new("L", (16, 16))
    mask.paste(255, (5, 2, 12, 9))
    return Image.fromarray(levels.byte().numpy()), mask


def test_the_inpainting_input_equals_diffusers(tmp_path, with_clip):
    folder = inpainting_folder(tmp_path / "theirs")
    import_model(folder, tmp_path / "ours", atelier=with_clip)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    assert pipe.denoiser.config.inputs().spatial == {"mask": 5}
    assert pipe.defaults.guidance.options["scale"] == 7.5

    theirs = diffusers.StableDiffusionInpaintPipeline.from_pretrained(folder)
    theirs.set_progress_bar_config(disable=True)
    calls: list[Any] = []
    theirs.unet.register_forward_hook(
        lambda _, given, named, out: calls.append((*given, named, out[0])), with_kwargs=True
    )
    image, mask = picture_and_mask()
    options: dict[str, Any] = {"guidance_scale": 1.0, "output_type": "latent"}
    options["num_inference_steps"] = 1
    context = noise(1, 7, 24)
    options |= {"prompt_embeds": context, "height": 16, "width": 16}
    theirs(image=image, mask_image=mask, **options)
    seen, t, _, wanted = calls[0]

    geometry = latelier.PictureGeometry((16, 16), (8, 8), first_stage=pipe.first_stage)
    with torch.no_grad():
        part = pipe.conditioners["mask"].encode([{"image": image, "mask": mask}], geometry).spatial
        condition = Condition({"text": Stream(context)}, {"mask": part})
        found = pipe.denoiser(seen[:, :4], t.float().view(1), condition)
    assert part[:, :1].unique().tolist() == [0, 1]
    assert torch.equal(part[:, :1], seen[:, 4:5])
    assert relative(part[:, 1:], seen[:, 5:]) < 1e-4
    assert relative(found, wanted) < 1e-4


def test_inpainting_models_survive_export_and_import(tmp_path, with_clip):
    folder = inpainting_folder(tmp_path / "theirs")
    import_model(folder, tmp_path / "ours", atelier=with_clip)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    image, mask = picture_and_mask()
    assert list(pipe.inputs) == ["prompt"]
    (picture,) = pipe.generate(prompt="a bc", init_image=image, mask=mask, seed=0, steps=2)
    kept = [(x, y) for x in range(16) for y in range(16) if not mask.getpixel((x, y))]
    assert all(picture.image.getpixel(place) == image.getpixel(place) for place in kept)

    report = export_model(tmp_path / "ours", tmp_path / "back", atelier=with_clip)
    assert report.notes == ()
    back = diffusers.StableDiffusionInpaintPipeline.from_pretrained(tmp_path / "back")
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    assert back.unet.config.in_channels == 9
    state = back.unet.state_dict()
    assert all(torch.equal(state[name], each) for name, each in unet.state_dict().items())


@pytest.mark.parametrize(
    ("name", "channels"),
    [("StableDiffusionInpaintPipeline", 8), ("StableDiffusionPipeline", 9)],
)
def test_unknown_input_channels_are_refused(tmp_path, with_clip, name, channels):
    folder = inpainting_folder(tmp_path / "theirs")
    cross_unet(attention_head_dim=2, in_channels=channels).save_pretrained(folder / "unet")
    text = (folder / "model_index.json").read_text()
    text = text.replace("StableDiffusionInpaintPipeline", name)
    (folder / "model_index.json").write_text(text)
    with pytest.raises(InvalidConfigError, match=f"{name} has {channels - 4} input channels"):
        import_model(folder, tmp_path / "ours", atelier=with_clip)


@pytest.mark.parametrize("rows", [5, 1001])
def test_a_class_embedding_of_the_unet_is_imported(tmp_path, built_ins, rows):
    folder = pipeline_folder(tmp_path / "theirs")
    options = {"attention_head_dim": 8, "in_channels": 4, "out_channels": 4}
    theirs = plain_unet(num_class_embeds=rows, **options)
    theirs.save_pretrained(folder / "unet")
    report = import_model(folder, tmp_path / "ours", atelier=built_ins)
    assert any(f"has {rows} rows, " in note for note in report.notes)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins)
    conditioner = pipe.conditioners["class_label"]
    assert conditioner.config.null_class == (rows == 1001)
    assert pipe.defaults.guidance.options["scale"] == (4.0 if rows == 1001 else 1.0)
    x, t, labels = noise(2, 4, 8, 8), torch.tensor([3.0, 800.0]), torch.tensor([1, 4])
    with torch.no_grad():
        condition = Condition.of({"class_label": conditioner.encode(labels.tolist())})
        assert relative(pipe.denoiser(x, t, condition), theirs(x, t, labels).sample) < 1e-4
    assert pipe.generate(class_label=3, seed=0, steps=2)[0].image.size == (16, 16)

    export_model(tmp_path / "ours", tmp_path / "back", atelier=built_ins)
    back = diffusers.UNet2DModel.from_pretrained(tmp_path / "back" / "unet").state_dict()
    assert back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[name], each) for name, each in theirs.state_dict().items())


def test_a_class_embedding_with_a_context_is_imported(tmp_path, with_clip):
    folder, _ = stable_diffusion_folder(tmp_path / "theirs", "!")
    theirs = cross_unet(attention_head_dim=2, num_class_embeds=7)
    theirs.save_pretrained(folder / "unet")
    import_model(folder, tmp_path / "ours", atelier=with_clip, null_class=True)
    pipe = latelier.load(tmp_path / "ours", device="cpu", atelier=with_clip)
    labels = pipe.conditioners["class_label"]
    assert (labels.config.num_classes, labels.config.null_class) == (6, True)
    x, t, context = noise(1, 4, 8, 8), torch.tensor([30.0]), noise(1, 7, 24)
    with torch.no_grad():
        vector = labels.encode([5]).vector
        found = pipe.denoiser(
            x, t, Condition({"text": Stream(context)}, {}, {"class_label": vector})
        )
        assert relative(found, theirs(x, t, context, torch.tensor([5])).sample) < 1e-4


def test_a_single_unet_omits_its_class_embedding(tmp_path, built_ins):
    plain_unet(attention_head_dim=8, num_class_embeds=5).save_pretrained(tmp_path / "theirs")
    report = import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)
    assert any("its class embedding table was left out" in note for note in report.notes)


def test_a_single_component_is_imported(tmp_path, built_ins):
    theirs = autoencoder("AutoencoderKL", (32, 64))
    theirs.save_pretrained(tmp_path / "theirs")
    report = import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)
    assert report.standalone_kind == "first_stage"
    assert (
        load_component(tmp_path / "ours", "first_stage", built_ins).config.scale_factor == 0.18215
    )
    import_model(
        tmp_path / "theirs", tmp_path / "ours", force=True, atelier=built_ins, scale_factor=0.5
    )
    assert load_component(tmp_path / "ours", "first_stage", built_ins).config.scale_factor == 0.5


SHIFTED = {"shift_factor": 0.1159, "use_quant_conv": False, "use_post_quant_conv": False}
PER_CHANNEL = {
    "latents_mean": [0.5, -1.0, 0.0],
    "latents_std": [2.0, 0.5, 1.0],
    "scaling_factor": 0.5,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (SHIFTED, {"scale_factor": 0.18215, **SHIFTED}),
        (PER_CHANNEL, {"scale_factor": (0.25, 1.0, 0.5), "shift_factor": (0.5, -1.0, 0.0)}),
    ],
)
def test_shifts_and_factors_of_channels_travel_both_ways(tmp_path, built_ins, changes, expected):
    model = autoencoder("AutoencoderKL", (32, 64), latent_channels=3, **changes)
    model.save_pretrained(tmp_path / "theirs")
    for name in ("ours", "again"):
        import_model(tmp_path / "theirs", tmp_path / name, atelier=built_ins)
        config = load_component(tmp_path / name, "first_stage", built_ins).config.model_dump()
        assert {key: config[key] for key in expected} == expected
        export_model(tmp_path / name, tmp_path / "theirs", force=True, atelier=built_ins)
    back = diffusers.AutoencoderKL.from_pretrained(tmp_path / "theirs")
    assert back.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latents_mean": [0.5, 1.0, 0.0]}, "one of latents_mean and latents_std"),
        ({**PER_CHANNEL, "shift_factor": 0.5}, "both shift_factor and latents_mean"),
        ({**PER_CHANNEL, "latents_std": [0.0, 1.0, 1.0]}, "latents_std"),
        ({**PER_CHANNEL, "latents_std": [1.0]}, "scale_factor has 1 numbers"),
    ],
)
def test_impossible_factors_are_refused(tmp_path, built_ins, changes, words):
    model = autoencoder("AutoencoderKL", (32, 64), latent_channels=3, **changes)
    model.save_pretrained(tmp_path / "theirs")
    with pytest.raises(InvalidConfigError, match=words):
        import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)


@pytest.mark.parametrize("factors", [{"shift_factor": 0.5}, {"scale_factor": [0.5, 1.0, 1.0, 2.0]}])
def test_a_pipeline_is_not_exported_as_one_that_ignores_its_factors(tmp_path, built_ins, factors):
    import_model(pipeline_folder(tmp_path / "theirs"), tmp_path / "ours", atelier=built_ins)
    manifest = json.loads((tmp_path / "ours" / "latelier.json").read_text())
    manifest["first_stage"]["config"] |= factors
    (tmp_path / "ours" / "latelier.json").write_text(json.dumps(manifest))
    report = export_model(tmp_path / "ours", tmp_path / "back", atelier=built_ins)
    assert any("no pipeline of these parts" in note for note in report.notes)
    assert report.components["vae"] == "AutoencoderKL"


def test_a_conditional_decoder_is_left_out_with_a_note(tmp_path, built_ins):
    import_model(pipeline_folder(tmp_path / "theirs"), tmp_path / "ours", atelier=built_ins)
    model = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins)
    plain = model.first_stage_component
    known = {"inputs": ("small",), "channels": 4}
    config = {**plain.config.model_dump(), "conditional_decoder": known}
    first_stage = new_component("first_stage", plain.id, config, built_ins)
    replace(model, first_stage_component=first_stage).save(tmp_path / "known")
    folders = [tmp_path / name for name in ("ours", "known")]
    reports = [export_model(each, each / "back", atelier=built_ins) for each in folders]
    said = ["conditional decoder" in "".join(report.notes) for report in reports]
    assert said == [False, True]
    names = [
        load_file(next((each / "back" / "vqvae").glob("*.safetensors"))).keys() for each in folders
    ]
    assert names[0] == names[1]


def test_a_unet_with_joint_vectors_is_not_exported():
    config = UNetConfig(
        in_channels=4,
        out_channels=4,
        model_channels=32,
        channel_mult=(1,),
        num_heads=2,
        vectors={"size": 8},
        joint_vectors=("size",),
    )
    with pytest.raises(CompatibilityError, match="joint_vectors, as SDXL has, cannot be exported"):
        unet_config_to_diffusers(config, 8)


def test_a_first_stage_whose_norms_are_of_positions_is_not_exported():
    config = AutoencoderKLConfig(num_groups=None)
    with pytest.raises(CompatibilityError, match="no autoencoder whose norms are of each position"):
        autoencoder_config_to_diffusers(config)


@pytest.mark.parametrize("factors", [{"shift_factor": 0.5}, {"scale_factor": (1.0, 2.0, 3.0)}])
def test_a_quantized_first_stage_with_other_factors_is_not_exported(factors):
    config = AutoencoderVQConfig(embed_dim=3, **factors)
    with pytest.raises(CompatibilityError, match="no quantized autoencoder with a shift_factor"):
        autoencoder_config_to_diffusers(config)


def test_weights_next_to_an_onnx_graph_are_found(tmp_path):
    from latelier.checkpoints.importers.diffusers.folder import read_component_weights

    torch.save({"w": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.onnx").write_bytes(b"x")
    (tmp_path / "model.onnx_data").write_bytes(b"x")
    (tmp_path / "model.safetensors.part").write_bytes(b"x")
    source = open_source(tmp_path / "pytorch_model.bin", None, {})
    found = read_component_weights(source, tmp_path, "model", "pytorch_model")
    assert found["w"].tolist() == [1, 1]


def pixel_model(folder: Path, scheduler: Any, name: str = "DDIMPipeline") -> nn.Module:
    """Save a model of pixels whose estimates of x0 are within a few times their range."""
    unet = plain_unet(attention_head_dim=8, in_channels=3, out_channels=3)
    with torch.no_grad():
        unet.conv_out.weight.mul_(0.3)
    unet.save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    parts = {"unet": ["diffusers", "UNet2DModel"]}
    parts["scheduler"] = ["diffusers", type(scheduler).__name__]
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name, **parts}))
    return unet


@pytest.mark.parametrize("options", [{"clip_sample": False}, {"clip_sample_range": 1.5}, {}])
def test_pictures_are_clipped_as_the_scheduler_does(tmp_path, built_ins, options):
    scheduler = diffusers.DDIMScheduler(timestep_spacing="leading", **options)
    unet = pixel_model(tmp_path / "theirs", scheduler)
    report = import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)
    clips = scheduler.config.clip_sample
    assert any("clipped" in note for note in report.notes) == clips
    ours = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins)
    x = torch.randn((3, 8, 8), generator=torch.Generator().manual_seed(3))[None]
    scheduler.set_timesteps(10)
    pixels = np.asarray(ours.generate(seed=3, steps=10)[0].image).astype(float)
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t).sample, t, x, use_clipped_model_output=clips).prev_sample
    theirs = ((x[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert abs(pixels - theirs).max() <= 1


def test_stable_diffusion_never_clips(tmp_path):
    from latelier.checkpoints.importers.diffusers.configs.scheduler import process_from_diffusers

    pixel_model(tmp_path, diffusers.DDIMScheduler(), "StableDiffusionPipeline")
    assert process_from_diffusers({"_class_name": "DDIMScheduler"})["clip_x0"] == 1
    found = Diffusers().read(open_source(tmp_path, None, {}))
    assert found.process["clip_x0"] is None


@pytest.mark.parametrize(("offset", "is_noted"), [(0, True), (1, False)])
def test_stable_diffusion_has_an_offset_of_1(tmp_path, offset, is_noted):
    pixel_model(tmp_path, diffusers.DDIMScheduler(steps_offset=offset), "StableDiffusionPipeline")
    found = Diffusers().read(open_source(tmp_path, None, {}))
    assert found.defaults["schedule"]["options"]["offset"] == 1
    assert any("steps_offset is read as 1" in note for note in found.notes) == is_noted


def test_a_distilled_model_is_drawn_in_a_few_steps(tmp_path, built_ins):
    pixel_model(tmp_path / "theirs", diffusers.LCMScheduler())
    report = import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)
    assert any("LCMScheduler" in note for note in report.notes)
    found = latelier.load(tmp_path / "ours", device="cpu", atelier=built_ins).defaults
    assert (found.sampler.name, found.steps) == ("lcm", 4)
    assert found.guidance.options["scale"] == 1


@pytest.mark.parametrize("with_first_stage", [False, True])
def test_a_learned_variance_of_a_unet_is_refused(tmp_path, built_ins, with_first_stage):
    channels = 4 if with_first_stage else 3
    if with_first_stage:
        pipeline_folder(tmp_path / "theirs")
    else:
        pixel_model(tmp_path / "theirs", diffusers.DDPMScheduler(variance_type="learned_range"))
    unet = plain_unet(attention_head_dim=8, in_channels=channels, out_channels=2 * channels)
    unet.save_pretrained(tmp_path / "theirs" / "unet")
    with pytest.raises(InvalidConfigError, match=rf"out_channels: {2 * channels}; .* variance"):
        import_model(tmp_path / "theirs", tmp_path / "ours", atelier=built_ins)
