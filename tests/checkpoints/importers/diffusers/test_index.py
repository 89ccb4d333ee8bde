"""Every part that a model_index.json names is read, noted, or refused."""

import json

import pytest

from latelier.checkpoints.importers.diffusers.importer import Diffusers
from latelier.checkpoints.importers.diffusers.index import PipelineIndex, read_folders
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.errors import InvalidConfigError, ModelFileError

PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "safety_checker": [None, None],
    "requires_safety_checker": False,
}
SD = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.21.0", **PARTS}


@pytest.mark.parametrize(
    "part",
    ["safety_checker", "feature_extractor", "image_encoder", "controlnet", "adapter", "watermark"],
)
def test_an_unneeded_part_is_reported(part):
    (note,) = PipelineIndex({**SD, part: ["x", "SomeModel"]}).notes()
    assert note.startswith(f"{part} (SomeModel) was not imported: ")


def test_a_null_part_is_skipped():
    assert PipelineIndex({**SD, "image_encoder": [None, None]}).notes() == []


@pytest.mark.parametrize("part", ["text_encoder_2", "prior", "low_res_scheduler", "qformer"])
def test_an_unknown_part_is_refused(part):
    with pytest.raises(InvalidConfigError, match=f"a part '{part}' \\(SomeModel\\), which is not"):
        PipelineIndex({**SD, part: ["x", "SomeModel"]})


@pytest.mark.parametrize(
    "name", ["RectifiedFlowPipeline", "StableDiffusion3Pipeline", "FluxPipeline", ""]
)
def test_a_pipeline_that_may_sample_in_another_way_is_refused(name):
    with pytest.raises(InvalidConfigError, match=f"the pipeline '{name}' is not supported"):
        PipelineIndex({**SD, "_class_name": name})
    assert PipelineIndex({**SD, "_class_name": name}, "StableDiffusionPipeline").has("unet")


@pytest.mark.parametrize("file", ["model_index.json", "config.json"])
def test_only_classes_that_are_read_are_recognized(tmp_path, file):
    for name, is_read in (("StableDiffusionPipeline", True), ("UNet2DModel", False)):
        (tmp_path / file).write_text(json.dumps({"_class_name": name}))
        assert Diffusers().recognizes(open_source(tmp_path, None, {})) == (
            is_read == (file == "model_index.json")
        )
    (tmp_path / file).write_text('{"_class_name": "FluxPipeline"}')
    assert not Diffusers().recognizes(open_source(tmp_path, None, {}))
    other = open_source(tmp_path, None, {"pipeline": "StableDiffusionPipeline"})
    assert Diffusers().recognizes(other) == (file == "model_index.json")


def test_sdxl_has_two_text_encoders():
    two = {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]}
    two |= {"tokenizer_2": ["transformers", "CLIPTokenizer"]}
    index = PipelineIndex({**SD, **two, "_class_name": "StableDiffusionXLPipeline"})
    assert (index.has("text_encoder_2"), index.null_text) == (True, "zeros")
    refiner = {"_class_name": "StableDiffusionXLImg2ImgPipeline"}
    refiner["force_zeros_for_empty_prompt"] = False
    assert PipelineIndex({**SD, **two, **refiner}).null_text == "empty"
    assert PipelineIndex(SD).null_text == "empty"


def test_only_folders_of_used_parts_are_read():
    index = {**SD, "image_encoder": ["transformers", "CLIPVisionModel"]}
    assert read_folders(index) == (["unet", "vae", "text_encoder"], ["tokenizer", "scheduler"])
    assert read_folders({"_class_name": "AutoencoderKL"}) == ([""], [])


def test_a_plugin_may_read_any_folder_of_another_class():
    index = {"_class_name": "FluxPipeline", "tokenizer_2": ["transformers", "T5TokenizerFast"]}
    index |= {"transformer": ["diffusers", "FluxTransformer2DModel"], "image_encoder": ["x", "Y"]}
    assert read_folders(index) == (["transformer", "image_encoder"], ["tokenizer_2"])


@pytest.mark.parametrize("entry", [["diffusers"], [], "unet", ["a", "b", "c"], ["a", 1], 3, {}])
def test_a_malformed_entry_is_refused(entry):
    with pytest.raises(ModelFileError, match="'unet': expected a library and a class"):
        read_folders({**SD, "unet": entry})
    with pytest.raises(ModelFileError, match="'unet': expected a library and a class"):
        PipelineIndex({**SD, "unet": entry})


UNET = {
    "_class_name": "UNet2DConditionModel",
    "cross_attention_dim": 32,
    "block_out_channels": [32, 64],
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
}
VAE = {"_class_name": "AutoencoderKL", "block_out_channels": [32, 64]}
VAE |= {key: [f"{kind}Block2D"] * 2 for key, kind in (("down_block_types", "DownEncoder"),)}
VAE |= {"up_block_types": ["UpDecoderBlock2D"] * 2}


@pytest.fixture
def folder(tmp_path):
    """A pipeline without weights."""

    def make(index, **files):
        configs = {"unet": UNET, "vae": VAE, "text_encoder": {"model_type": "clip_text_model"}}
        for part, values in {**configs, **files}.items():
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / "config.json").write_text(json.dumps(values))
        (tmp_path / "tokenizer").mkdir(exist_ok=True)
        (tmp_path / "scheduler").mkdir(exist_ok=True)
        scheduler = {"_class_name": "PNDMScheduler"}
        (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
        (tmp_path / "model_index.json").write_text(json.dumps(index))
        return open_source(tmp_path, None, {})

    return make


def test_configurations_are_checked_without_weights(folder):
    Diffusers().check(folder(SD))


def test_a_denoiser_without_its_conditioner_is_refused(folder):
    index = {key: value for key, value in SD.items() if key not in ("text_encoder", "tokenizer")}
    index["image_encoder"] = ["transformers", "CLIPVisionModelWithProjection"]
    with pytest.raises(InvalidConfigError, match=r"a condition of width 32.*has no text"):
        Diffusers().check(folder(index))


def test_another_text_encoder_is_refused(folder):
    with pytest.raises(ModelFileError, match="the text encoder 'roberta' is not supported"):
        Diffusers().check(folder(SD, text_encoder={"model_type": "roberta"}))


def test_a_part_whose_folder_is_missing_is_refused(folder):
    source = folder({**SD, "vqvae": ["diffusers", "VQModel"], "vae": [None, None]})
    with pytest.raises(ModelFileError, match="vqvae: folder not found, though model_index"):
        Diffusers().check(source)
