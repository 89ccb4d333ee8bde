"""The names that must hold, used as README and other programs use them."""

import PIL.Image
import pytest
import torch

import latelier


@pytest.fixture(scope="module")
def pipe(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("face")
    tiny.save(folder)
    return latelier.load(str(folder), device="cpu", dtype="auto")


def test_generate_returns_pictures(pipe):
    pictures = pipe.generate(
        prompt="a red cat in a meadow",
        negative=None,
        n=4,
        seed=7,
        size=None,
        steps=2,
        sampler="dpmpp_2m",
        schedule="karras",
        guidance=5.0,
    )
    assert isinstance(pictures[0].image, PIL.Image.Image)
    assert [picture.seed for picture in pictures] == [7, 8, 9, 10]
    assert isinstance(pictures[0].provenance, dict)
    assert len(pipe.generate(prompt=["a cat", "a dog"], steps=1)) == 2


def test_stream_yields_previews(pipe):
    for preview in pipe.stream(prompt="a cat", seed=7, steps=2):
        assert isinstance(preview.image, PIL.Image.Image)
    assert (preview.step, preview.steps) == (2, 2)


def test_a_pipeline_exposes_its_components(pipe):
    images = torch.zeros(1, 3, 16, 16)
    latents = pipe.first_stage.encode(images)
    assert pipe.first_stage.decode(latents).shape == images.shape
    part = pipe.conditioners["text"].encode(["a cat"])
    assert part.stream.tokens.shape[0] == 1
    condition = latelier.Condition.of({"text": part})
    t = pipe.process.timestep(0.5).expand(1)
    assert pipe.denoiser(latents, t, condition).shape == latents.shape


def test_a_hand_written_sampler_runs(pipe):
    denoise = pipe.denoise_fn(prompt="a cat", guidance=5.0)
    grid = latelier.schedules.get("karras")(3, pipe.process)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    x = pipe.process.initial(noise, grid.sigmas[0])
    steps = list(latelier.samplers.get("heun")(denoise, x, grid))
    assert [step.index for step in steps] == [0, 1, 2]
    assert steps[-1].sigma == 0
    assert steps[-1].x.shape == denoise(x, 0.5).shape == noise.shape


def test_registries_list_names_and_schemas():
    assert {"ddim", "ddpm", "euler", "heun", "dpmpp_2m"} <= set(latelier.samplers.names())
    assert {"karras", "model"} <= set(latelier.schedules.names())
    assert "cfg" in latelier.guidances.names()
    assert {"text", "class_label"} <= set(latelier.conditioners.names())
    assert latelier.conditioners.input_schema("text")["properties"]["text"]["type"] == "string"


def test_all_exported_names_exist():
    for name in latelier.__all__:
        assert getattr(latelier, name) is not None
    assert dir(latelier) == latelier.__all__
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        latelier.lod  # noqa: B018


def test_the_default_atelier_is_created_once():
    assert latelier.default_atelier() is latelier.default_atelier()
    assert latelier.samplers is latelier.default_atelier().samplers


def test_unknown_models_and_files_are_errors():
    with pytest.raises(latelier.LatelierError, match="model 'emoji-scene' not found"):
        latelier.load("emoji-scene")
