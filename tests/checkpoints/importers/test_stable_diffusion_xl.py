"""Single files of Stable Diffusion XL: decided by names and shapes, at full width."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from latelier.checkpoints.importers.building import build_part, kind_of
from latelier.checkpoints.importers.stable_diffusion_xl.importer import StableDiffusionXL
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.conversion.importing import find_inputs
from latelier.diffusion.processes.kinds import process_from
from latelier.pipeline.request import Defaults
from latelier.presets import read_preset

UNET = "model.diffusion_model."


@pytest.fixture
def single_file(sdxl_file, given):
    """Make a file without numbers, and with marks of how it was trained."""

    def make(*marks: str, without: str = "-", options: Any = None, **variant: Any) -> Any:
        shapes = {k: v for k, v in sdxl_file(**variant).items() if not k.startswith(without)}
        tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        source = given(None, {**tensors, **{name: torch.empty(0) for name in marks}})
        source.options.update(options or {})
        return source

    return make


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("sdxl-base", {}),
        ("sdxl-inpainting", {"channels": 9}),
        ("sdxl-refiner", {"refiner": True}),
    ],
)
def test_a_published_model_is_imported_like_its_preset(single_file, with_clip, name, variant):
    source, preset = single_file(**variant), read_preset(name)
    assert StableDiffusionXL().recognizes(source)
    found = StableDiffusionXL().read(source)
    assert found.parts.keys() == preset.parts().keys()
    for place, part in preset.parts().items():
        component = build_part(place, found.parts[place], with_clip)
        wanted = with_clip.registries[kind_of(place)].validate_config(*part.piece)
        assert component.config == wanted, place
        assert sum(p.numel() for p in component.module.parameters()) == part.parameters, place
    assert process_from(found.process) == process_from(preset.process)
    assert Defaults.model_validate(found.defaults) == Defaults.model_validate(preset.defaults)
    assert find_inputs(found, ["mask"]) == {
        public: (name,) for public, name in preset.inputs.items()
    }


def test_text_encoders_give_what_was_trained_with(single_file, with_clip):
    part = StableDiffusionXL().read(single_file()).parts["conditioners.text"]
    pair = build_part("conditioners.text", part, with_clip).config
    for encoder in (pair.clip_l, pair.clip_g):
        assert (encoder.layer, encoder.final_norm, encoder.null) == ("penultimate", False, "zeros")
    assert (pair.clip_l.pooled, pair.clip_g.pooled) == ("none", "projected")
    assert (pair.clip_l.hidden_act, pair.clip_g.hidden_act) == ("quick_gelu", "gelu")
    assert (pair.clip_l.pad_token_id, pair.clip_g.pad_token_id) == (49407, 0)
    assert (pair.clip_l.num_attention_heads, pair.clip_g.num_attention_heads) == (12, 20)
    part = StableDiffusionXL().read(single_file(refiner=True)).parts["conditioners.text"]
    alone = build_part("conditioners.text", part, with_clip).config
    assert alone == pair.clip_g.model_copy(update={"null": "empty"})


def test_both_text_encoders_read_prompts_in_the_syntax_of_choice(single_file, with_clip):
    for options, syntax in (({}, "a1111"), ({"prompt_syntax": "comfyui"}, "comfyui")):
        source = single_file()
        source = replace(source, options={**source.options, **options})
        part = StableDiffusionXL().read(source).parts["conditioners.text"]
        pair = build_part("conditioners.text", part, with_clip).config
        assert (pair.clip_l.prompt_syntax, pair.clip_g.prompt_syntax) == (syntax, syntax)


@pytest.mark.parametrize(
    ("marks", "options", "prediction", "is_zero"),
    [
        ((), {}, "eps", False),
        (("v_pred",), {}, "v", False),
        (("v_pred", "ztsnr"), {}, "v", True),
        (("v_pred", "ztsnr"), {"prediction": "eps"}, "eps", False),
        ((), {"prediction": "v"}, "v", False),
    ],
)
def test_marks_and_options_tell_what_is_predicted(single_file, marks, options, prediction, is_zero):
    found = StableDiffusionXL().read(single_file(*marks, options=options))
    process = process_from(found.process)
    assert (process.prediction, process.zero_terminal_snr) == (prediction, is_zero)
    assert (process.beta_start, process.beta_end) == (0.00085, 0.012)
    assert found.parts["first_stage"].config["scale_factor"] == 0.13025
    assert (found.defaults["schedule"] == "compvis") != is_zero
    assert any(f"it predicts {prediction}: " in note for note in found.notes)


def test_edm_has_a_process_and_latents_of_its_own(single_file, built_ins):
    found = StableDiffusionXL().read(single_file("edm_mean", "edm_std"))
    assert process_from(found.process).kind == "edm"
    stage = build_part("first_stage", found.parts["first_stage"], built_ins).config
    assert stage.shift_factor == (-1.6574, 1.886, -1.383, 2.5155)
    assert stage.scale_factor == pytest.approx([0.058874, 0.084718, 0.076339, 0.095604], rel=1e-4)


def test_edm_reads_the_network_as_the_published_scheduler_does(single_file):
    diffusers = pytest.importorskip("diffusers")
    process = process_from(StableDiffusionXL().read(single_file("edm_mean", "edm_std")).process)
    theirs = diffusers.EDMEulerScheduler(sigma_data=0.5, prediction_type="epsilon")
    x, output = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for sigma in (80.0, 1.3, 0.002):
        exact = torch.tensor(sigma, dtype=torch.float64)
        torch.testing.assert_close(
            x * process.input_scale(sigma), theirs.precondition_inputs(x, exact).float()
        )
        assert process.timestep(sigma) == pytest.approx(float(theirs.precondition_noise(exact)))
        wanted = theirs.precondition_outputs(x, output, exact).float()
        torch.testing.assert_close(process.denoised(output, x, sigma), wanted)


@pytest.mark.parametrize(
    ("name", "sampler", "steps"),
    [
        ("sdxl_lightning_8step.safetensors", "euler", 8),
        ("juggernautXL_Lightning.safetensors", "euler", 4),
        ("sd_xl_turbo_1.0_fp16.safetensors", "euler_ancestral", 4),
        ("myLCM-XL.safetensors", "lcm", 4),
    ],
)
def test_models_for_few_steps_have_other_defaults(single_file, name, sampler, steps):
    found = StableDiffusionXL().read(replace(single_file(), path=Path(name)))
    assert (found.defaults["sampler"], found.defaults["steps"]) == (sampler, steps)
    assert (found.defaults["guidance"], found.defaults["size"]) == (1.0, 1024)
    assert any(f"by default it makes {steps} steps" in note for note in found.notes)


def test_an_averaged_copy_is_not_read(single_file):
    source = single_file("model_ema.diffusion_modelout2bias", "model_ema.decay", "betas")
    assert StableDiffusionXL().read(source)


def test_unsupported_files_are_refused(single_file, given, tmp_path):
    importer = StableDiffusionXL()
    with pytest.raises(ModelFileError, match=rf"^{tmp_path}: .* takes 8 channels; supported"):
        importer.read(single_file(channels=8))
    with pytest.raises(InvalidConfigError, match="unknown prediction 'x0'"):
        importer.read(single_file(options={"prediction": "x0"}))
    with pytest.raises(ModelFileError, match=rf"^{tmp_path}: .* CosXL, whose process is not"):
        importer.read(single_file("edm_vpred.sigma_max"))
    with pytest.raises(ModelFileError, match=r"1 unexpected \(lora_up\): no part"):
        importer.read(single_file("lora_up"))
    with pytest.raises(ModelFileError, match="lacks the names and shapes of Stable Diffusion XL"):
        importer.read(given(None, {}))
    assert not importer.recognizes(single_file(without="first_stage_model."))
    assert not importer.recognizes(given({"model": {}}, single_file().tensors()))


@pytest.mark.parametrize("without", ["conditioner.embedders.0.", "conditioner."])
def test_a_file_without_a_text_encoder_is_refused(single_file, without):
    with pytest.raises(ModelFileError, match="is a checkpoint without its text encoder"):
        StableDiffusionXL().read(single_file(without=without))
