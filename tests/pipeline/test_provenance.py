"""Provenance: complete, JSON, carried by the PNG, and enough to ask again."""

import json

import pytest
import torch
from PIL import Image

import latelier
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.provenance.image_files import read_provenance, write_image
from latelier.provenance.pixels import pixel_hash


@pytest.fixture(scope="module")
def pictures(tiny):
    return tiny.generate(
        prompt="a red cat",
        label=["cat", "dog"],
        negative="fog",
        n=2,
        seed=5,
        sampler={"name": "ddim", "eta": 0.5},
    )


def test_it_records_everything_that_the_bits_depend_on(tiny, pictures):
    message = pictures[1].provenance
    assert message["latelier"] == latelier.__version__
    assert message["api"] == "latelier.v1"
    assert message["components"].keys() == {
        "first_stage",
        "denoiser",
        "conditioners.text",
        "conditioners.label",
    }
    unet = message["components"]["denoiser"]
    assert unet["id"] == "latelier/unet"
    assert unet["version"] == latelier.__version__
    assert unet["config_sha256"] == tiny.denoiser_component.config_sha256
    assert message["functions"] == {
        place: {"id": f"latelier/{name}", "version": latelier.__version__}
        for place, name in [("sampler", "ddim"), ("schedule", "karras"), ("guidance", "cfg")]
    }
    assert message["process"]["kind"] == "rectified_flow"
    assert (message["index"], message["seed"], message["count"]) == (1, 6, 4)
    assert message["machine"].keys() >= {"type", "device", "torch", "threads", "precision"}
    assert message["machine"]["threads"] == torch.get_num_threads()
    assert message["pixels_sha256"] == pixel_hash(pictures[1].image)


def test_the_request_is_complete_with_every_default(pictures):
    assert pictures[0].provenance["request"] == {
        "inputs": {"prompt": ["a red cat", "a red cat"], "label": ["cat", "dog"]},
        "negative": {"prompt": ["fog"]},
        "n": 2,
        "seed": 5,
        "size": [16, 16],
        "init_image": None,
        "strength": None,
        "mask": None,
        "repaint_resamples": None,
        "window": None,
        "overlap": None,
        "window_batch": None,
        "tile": 0,
        "batch_size": 4,
        "steps": 3,
        "sampler": {"name": "latelier/ddim", "options": {"eta": 0.5}},
        "schedule": {
            "name": "latelier/karras",
            "options": {"rho": 7.0, "sigma_min": None, "sigma_max": None},
        },
        "guidance": {
            "name": "latelier/cfg",
            "options": {"scale": 3.0, "interval": None, "rescale": 0.0, "threshold": None},
        },
        "acceleration": None,
        "noise": "independent",
        "database": None,
    }
    assert pictures[0].provenance["drew"] == []


def test_the_recorded_request_makes_the_same_pictures(tiny, pictures):
    request = dict(pictures[0].provenance["request"])
    again = tiny.generate(**request.pop("inputs"), **request)
    assert [pixel_hash(each.image) for each in again] == [
        picture.provenance["pixels_sha256"] for picture in pictures
    ]


def test_a_loaded_pipeline_records_its_folder_and_hashes(tiny, tmp_path, built_ins):
    tiny.save(tmp_path / "model")
    loaded = latelier.load(tmp_path / "model", "cpu", atelier=built_ins)
    message = loaded.generate(prompt="a cat", steps=1)[0].provenance
    assert message["model"] == {"name": str(tmp_path / "model"), "revision": None}
    manifest = json.loads((tmp_path / "model" / "latelier.json").read_text())
    stored = manifest["denoiser"]["weights"]["sha256"]
    assert message["components"]["denoiser"]["weights_sha256"] == stored


def test_the_png_carries_it(pictures, tmp_path):
    path = tmp_path / "folder" / "picture.png"
    pictures[0].save(path)
    image, provenance = read_provenance(path)
    assert provenance == pictures[0].provenance
    assert pixel_hash(image) == provenance["pixels_sha256"]
    assert [each.name for each in path.parent.iterdir()] == ["picture.png"]


def test_a_prompt_in_any_script_survives(tiny, tmp_path):
    prompt = "ein Kätzchen 猫 🐈"
    picture = tiny.generate(prompt=prompt, steps=1)[0]
    picture.save(tmp_path / "a.png")
    assert read_provenance(tmp_path / "a.png")[1]["request"]["inputs"]["prompt"] == [prompt]


def no_file(path):
    pass


def no_picture(path):
    path.write_text("text")


def no_provenance(path):
    Image.new("RGB", (2, 2)).save(path)


def not_json(path):
    write_image(path, Image.new("RGB", (2, 2)), None)
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("latelier", "{")
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)


def bomb_of_text(path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("latelier", "x" * 70_000_000, zip=True)
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_file, "picture.png: not found"),
        (no_picture, "no picture can be read"),
        (no_provenance, "carries no provenance of latelier"),
        (not_json, "carries no provenance of latelier"),
        (bomb_of_text, "no picture can be read|carries no provenance"),
    ],
)
def test_files_without_provenance_are_an_error(tmp_path, make, message):
    path = tmp_path / "picture.png"
    make(path)
    with pytest.raises(InvalidInputError, match=message):
        read_provenance(path)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_image(tmp_path / "a.png", Image.new("RGB", (2, 2)), {})
    assert list(tmp_path.iterdir()) == []


def test_levels_are_rounded_and_clipped():
    values = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0, 1 / 127.5]).view(1, 1, 1, 6)
    image = tensor_to_pil(values.expand(1, 3, 1, 6))[0]
    assert list(image.tobytes()[::3]) == [0, 0, 128, 255, 255, 128]


def test_the_pixel_hash_depends_on_the_shape():
    wide, tall = Image.new("RGB", (4, 2)), Image.new("RGB", (2, 4))
    assert pixel_hash(wide) != pixel_hash(tall)
