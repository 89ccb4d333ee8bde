"""Generating through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latelier.provenance.image_files import read_provenance


def test_one_picture_is_named_by_its_seed(cli, tiny_model, tmp_path):
    done = cli("generate", "a red cat", "-m", tiny_model, "--seed", 7)
    assert (done.status, done.out, done.err) == (0, "latelier-7.png\n", "")
    image, provenance = read_provenance(tmp_path / "latelier-7.png")
    assert image.size == (16, 16)
    assert provenance["request"]["inputs"] == {"prompt": ["a red cat"]}
    assert provenance["seed"] == 7


def test_several_pictures_in_a_folder_are_named_by_prompt_and_seed(cli, tiny_model, tmp_path):
    done = cli("generate", "A red, RED cat!", "-m", tiny_model, "--seed", 7, "-n", 2, "-o", "out")
    assert done.out.splitlines() == ["out/a-red-red-cat-7.png", "out/a-red-red-cat-8.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-red-red-cat-7.png",
        "a-red-red-cat-8.png",
    ]


def test_json_has_paths_seeds_and_provenance(cli, tiny_model):
    done = cli(
        *("generate", "a cat", "-m", tiny_model, "--seed", 3, "--json", "-n", 2),
        *("--condition", "class_label=dog", "--sampler", "ddim:eta=0.5", "--steps", 3),
        *("--guidance", "2.5", "--size", "24x16", "--negative", "a dog"),
        *("--acceleration", "deep_cache:interval=2"),
    )
    pictures = json.loads(done.out)
    assert [picture["path"] for picture in pictures] == ["a-cat-3.png", "a-cat-4.png"]
    assert [picture["seed"] for picture in pictures] == [3, 4]
    assert (pictures[0]["width"], pictures[0]["height"]) == (24, 16)
    request = pictures[1]["provenance"]["request"]
    assert request["inputs"] == {"prompt": ["a cat"], "class_label": ["dog"]}
    assert request["negative"] == {"prompt": ["a dog"]}
    assert request["sampler"] == {"name": "latelier/ddim", "options": {"eta": 0.5}}
    assert request["guidance"]["options"]["scale"] == 2.5
    assert request["acceleration"]["options"] == {"interval": 2, "depth": 1}
    assert (request["steps"], request["size"]) == (3, [24, 16])


@pytest.mark.parametrize(
    ("options", "sampler", "schedule"),
    [
        (["--sampler", "DPM++ 2M SDE Exponential"], "dpmpp_2m_sde", "exponential"),
        (["--sampler", "Euler a:eta=0.5", "--schedule", "SGM Uniform"], "euler_ancestral", "model"),
        (["--sampler", "heun Karras", "--schedule", "beta"], "heun", "beta"),
    ],
)
def test_names_of_the_web_ui_are_understood(cli, tiny_model, options, sampler, schedule):
    done = cli("generate", "a cat", "-m", tiny_model, "--seed", 3, "--json", *options)
    request = json.loads(done.out)[0]["provenance"]["request"]
    assert request["sampler"]["name"] == f"latelier/{sampler}"
    assert request["schedule"]["name"] == f"latelier/{schedule}"


def test_large_pictures_use_windows_and_tiles(cli, tiny_model, tmp_path):
    done = cli(
        *("generate", "a cat", "-m", tiny_model, "--seed", 3, "--size", "40x24", "--json"),
        *("--window", "16x12", "--overlap", "0.25", "--window-batch", "2", "--tile", "8"),
    )
    (picture,) = json.loads(done.out)
    assert Image.open(tmp_path / "latelier-3.png").size == (40, 24)
    request = picture["provenance"]["request"]
    assert (request["window"], request["overlap"]) == ([16, 12], 0.25)
    assert (request["window_batch"], request["tile"]) == (2, 8)
    again = cli("replay", "latelier-3.png")
    assert (again.status, again.out) == (0, "identical\n")


def test_a_seed_gives_the_same_picture_and_another_seed_another(cli, tiny_model, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        cli("generate", "a cat", "-m", tiny_model, "--seed", seed, "-o", f"{name}.png")
    a, b, c = (Image.open(tmp_path / f"{name}.png").tobytes() for name in "abc")
    assert a == b
    assert a != c


def test_conditions_are_optional(cli, tiny_model):
    assert cli("generate", "-m", tiny_model, "--condition", "class_label=2").status == 0
    assert cli("generate", "-m", tiny_model).status == 0


def test_a_condition_is_read_from_a_json_file(cli, tiny_model, tmp_path):
    (tmp_path / "label.json").write_text('{"label": "cow"}')
    done = cli("generate", "-m", tiny_model, "--condition", "class_label=@label.json", "--json")
    (picture,) = json.loads(done.out)
    assert picture["provenance"]["request"]["inputs"] == {"class_label": ["cow"]}


@pytest.mark.parametrize(
    "options",
    [
        ["a cat", "--sampler", "ddmi"],
        ["a cat", "--schedule", "karas"],
        ["a cat", "--condition", "label=1"],
        [" "],
        ["a cat", "-o", "a.gif"],
    ],
)
def test_errors_come_before_the_model_is_loaded(cli, tiny_model, monkeypatch, options):
    def load(*_, **__):
        raise AssertionError("loaded")

    monkeypatch.setattr("latelier.pipeline.loading.load", load)
    assert cli("generate", "-m", tiny_model, *options).status == 2


def test_force_replaces_existing_files(cli, tiny_model, tmp_path):
    old = tmp_path / "a.png"
    old.write_bytes(b"old")
    command = ("generate", "a cat", "-m", tiny_model, "-o", "a.png")
    assert cli(*command).status == 2
    assert old.read_bytes() == b"old"
    assert cli(*command, "--force").status == 0
    assert read_provenance(old)


def test_help_is_the_docstring(cli):
    out = cli("generate", "--help").out
    assert '  Example:\n      latelier generate "a red apple' in out
    assert "Args:" not in out
    assert "Description of the pictures." in out


def test_a_warning_names_options(cli, tiny_model):
    done = cli("generate", "a cat", "-m", tiny_model, "--size", 32)
    assert done.status == 0
    assert "warning: --size: 32x32 is far beyond" in done.err
    assert "; --window 16 denoises in windows of that size" in done.err


def test_an_error_of_the_run_names_options(cli, tiny_model, monkeypatch):
    monkeypatch.setenv("LATELIER_MAX_EVALUATIONS", "2")
    done = cli("generate", "a cat", "-m", tiny_model, "-n", 4)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: -n: 8 evaluations of the denoiser (-n 4 x --steps 2) are")


def test_an_interrupt_leaves_no_file_behind(cli, tiny_model, tmp_path, monkeypatch):
    def interrupted(path, data):
        with path.open("wb") as file:
            file.write(data[:9])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    done = cli("generate", "a cat", "-m", tiny_model, "-o", "out/a.png")
    assert (done.status, done.err) == (130, "interrupted; nothing written\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_one_line(cli, tiny_model, tmp_path, monkeypatch):
    def full(path, data):
        with path.open("wb") as file:
            file.write(data[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = cli("generate", "a cat", "-m", tiny_model, "-o", "a.png")
    assert (done.status, done.err) == (
        2,
        "error: a.png: cannot be written: No space left on device\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_progress_bar_works_on_a_terminal(cli, tiny_model, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli("generate", "a cat", "-m", tiny_model).status == 0


@pytest.mark.parametrize("variable", [False, True])
def test_debug_shows_the_traceback(cli, monkeypatch, variable):
    if variable:
        monkeypatch.setenv("LATELIER_DEBUG", "1")
    done = cli(*([] if variable else ["--debug"]), "generate", "a cat", "-m", "nowhere")
    assert done.status == 2
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error: model 'nowhere' not found")


@pytest.fixture
def files(tmp_path):
    """A picture of 24 x 16 pixels, and a mask that keeps its left half."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)).save(tmp_path / "in.png")
    mask = np.zeros((16, 24), np.uint8)
    mask[:, 12:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def test_img2img_is_replayed(cli, tiny_model, files):
    typed = ("generate", "a cat", "-m", tiny_model, "--seed", 1, "-n", 2, "--steps", 4)
    done = cli(*typed, "--init-image", "in.png", "--strength", 0.5, "--mask", "mask.png", "--json")
    assert done.status == 0, done
    one, other = json.loads(done.out)
    assert (one["width"], one["height"]) == (24, 16)
    assert one["provenance"]["request"]["strength"] == 0.5
    assert one["provenance"]["steps"] == 2
    original = np.asarray(Image.open(files / "in.png"))
    pictures = [np.asarray(Image.open(files / each["path"])) for each in (one, other)]
    assert all((picture[:, :12] == original[:, :12]).all() for picture in pictures)
    assert (pictures[0][:, 13:] != pictures[1][:, 13:]).any()
    for name in ("in.png", "mask.png"):
        (files / name).unlink()
    for each in (one, other):
        assert cli("replay", each["path"]).out == "identical\n"


def test_an_init_image_is_resized_to_the_requested_size(cli, tiny_model, files):
    cli("generate", "-m", tiny_model, "--init-image", "in.png", "--size", "12x8", "-o", "a.png")
    assert Image.open(files / "a.png").size == (12, 8)


def test_the_help_explains_the_colours_of_the_mask(cli):
    message = " ".join(cli("generate", "--help").out.split())
    assert "white is repainted, black stays" in message


def test_a_condition_is_read_from_an_array(cli, tiny_model, tmp_path):
    np.save(tmp_path / "label.npy", np.array(2))
    done = cli("generate", "-m", tiny_model, "--condition", "class_label=@label.npy", "--json")
    (picture,) = json.loads(done.out)
    assert picture["provenance"]["request"]["inputs"] == {"class_label": [2]}


def test_the_kind_of_noise_can_be_chosen(cli, tiny_model):
    done = cli("generate", "a cat", "-m", tiny_model, "--noise", "brownian", "--steps", 2, "--json")
    assert json.loads(done.out)[0]["provenance"]["request"]["noise"] == "brownian"
    done = cli("generate", "a cat", "-m", tiny_model, "--noise", "pink")
    assert done.status == 2
    assert "'independent' or 'brownian'" in done.err


def test_a_jpeg_carries_its_provenance(cli, tiny_model, tmp_path):
    done = cli("generate", "a cat", "-m", tiny_model, "--seed", 3, "-o", "a.jpg")
    assert (done.status, done.out) == (0, "a.jpg\n")
    image, provenance = read_provenance(tmp_path / "a.jpg")
    assert (Image.open(tmp_path / "a.jpg").format, image.size) == ("JPEG", (16, 16))
    assert provenance["seed"] == 3
