"""Bad input: one clear line, exit status 2, and nothing written."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

NO_PNG = "expected a .png or .jpg file such as 'a.png'"

CASES = {
    "a misspelt command": (["genrate", "x"], "Did you mean 'generate'"),
    "a misspelt subcommand": (["models", "lst"], "Did you mean 'list'"),
    "a misspelt option": (["generate", "x", "--sede", "3"], "--seed"),
    "a word where a number goes": (["generate", "x", "--steps", "many"], "--steps"),
    "no picture at all": (["generate", "x", "-n", "0"], "-n"),
    "no step at all": (["generate", "x", "--steps", "0"], "--steps"),
    "far too many steps": (
        ["generate", "x", "MODEL", "--steps", "10001"],
        "--steps: Input should be less than",
    ),
    "a negative seed": (["generate", "x", "--seed", "-1"], "--seed"),
    "a seed beyond all": (["generate", "x", "--seed", str(2**63)], "--seed"),
    "two prompts": (["generate", "x", "y"], "y"),
    "an empty prompt": (["generate", "  ", "MODEL"], "the text is empty"),
    "a prompt that is too long": (["generate", "cat " * 300, "MODEL"], "tokens, but at most 31"),
    "a prompt that is far too long": (["generate", "x" * 2001, "MODEL"], "at most 2000"),
    "a misspelt model": (["generate", "x", "-m", "emoji-scene"], "model 'emoji-scene' not found"),
    "a model that is a file": (["generate", "x", "-m", "FILE"], "no model"),
    "a folder without a model": (["generate", "x", "-m", "FOLDER"], "latelier.json"),
    "a misspelt sampler": (["generate", "x", "MODEL", "--sampler", "dim"], "Did you mean 'ddim'"),
    "a misspelt schedule": (
        ["generate", "x", "MODEL", "--schedule", "karas"],
        "Did you mean 'karras'",
    ),
    "a misspelt guidance": (["generate", "x", "MODEL", "--guidance", "cgf"], "Did you mean 'cfg'"),
    "a guidance rule in capitals": (
        ["generate", "x", "MODEL", "--guidance", "CFG"],
        "Did you mean 'cfg'",
    ),
    "a guidance rule as a sampler": (
        ["generate", "x", "MODEL", "--sampler", "cfg"],
        "there is no sampler 'cfg'. 'cfg' is a guidance rule: --guidance cfg",
    ),
    "a sampler as guidance": (
        ["generate", "x", "MODEL", "--guidance", "Euler"],
        "there is no guidance 'Euler'. 'euler' is a sampler: --sampler euler",
    ),
    "a conditioner as a schedule": (
        ["generate", "x", "MODEL", "--schedule", "text"],
        "there is no schedule 'text'. 'text' is a conditioner",
    ),
    "a misspelt option of a sampler": (
        ["generate", "x", "MODEL", "--sampler", "ddim:etta=1"],
        "Did you mean 'eta'",
    ),
    "an option out of range": (["generate", "x", "MODEL", "--sampler", "ddim:eta=-1"], "'eta'"),
    "an option without a value": (
        ["generate", "x", "MODEL", "--sampler", "ddim:eta"],
        "expected name:key=value,key=value",
    ),
    "a guidance that is not a number": (["generate", "x", "MODEL", "--guidance", "nan"], "scale"),
    "a negative guidance": (["generate", "x", "MODEL", "--guidance", "-1"], "scale"),
    "a size in words": (["generate", "x", "MODEL", "--size", "large"], "WIDTHxHEIGHT"),
    "a size with a hole": (["generate", "x", "MODEL", "--size", "16x"], "WIDTHxHEIGHT"),
    "a size of nothing": (["generate", "x", "MODEL", "--size", "0"], "multiple of 2"),
    "a size that does not fit": (["generate", "x", "MODEL", "--size", "17"], "the nearest is 16"),
    "a size beyond all memory": (
        ["generate", "x", "MODEL", "--size", "100000000"],
        "pixels are above the limit of 67,108,864; LATELIER_MAX_PIXELS=",
    ),
    "a window in words": (
        ["generate", "x", "MODEL", "--window", "small"],
        "--window: expected a number or WIDTHxHEIGHT, got 'small'",
    ),
    "a window that does not fit": (
        ["generate", "x", "MODEL", "--window", "11"],
        "--window: the width 11 is not a multiple of 2",
    ),
    "too much overlap": (
        ["generate", "x", "MODEL", "--window", "8", "--overlap", "1"],
        "--overlap",
    ),
    "an overlap of nothing": (
        ["generate", "x", "MODEL", "--overlap", "0.5"],
        "--overlap: needs --window, which is missing",
    ),
    "no window at a time": (
        ["generate", "x", "MODEL", "--window", "8", "--window-batch", "0"],
        "--window-batch",
    ),
    "a tile that does not fit": (["generate", "x", "MODEL", "--tile", "7"], "the nearest is 8"),
    "a class of 5000 digits": (
        ["generate", "MODEL", "--condition", "class_label=" + "1" * 5000],
        "there is no class of 5000 digits",
    ),
    "a seed of 5000 digits": (
        ["generate", "x", "MODEL", "--seed", "1" * 5000],
        f"got {'1' * 80}...",
    ),
    "a misspelt condition": (
        ["generate", "MODEL", "--condition", "clas_label=1"],
        "Did you mean 'class_label'",
    ),
    "a condition without a value": (["generate", "MODEL", "--condition", "prompt"], "NAME=VALUE"),
    "a condition given twice": (
        ["generate", "MODEL", "--condition", "prompt=a", "--condition", "prompt=b"],
        "given twice",
    ),
    "a prompt given twice": (["generate", "x", "MODEL", "--condition", "prompt=a"], "given twice"),
    "a class that is not there": (
        ["generate", "MODEL", "--condition", "class_label=7"],
        "input 'class_label': ",
    ),
    "a class by no name": (["generate", "MODEL", "--condition", "class_label=horse"], "horse"),
    "a class of the wrong type": (
        ["generate", "MODEL", "--condition", "class_label=[1, 2]"],
        "valid integer",
    ),
    "a misspelt field": (
        ["generate", "MODEL", "--condition", 'class_label={"lable": 1}'],
        "Did you mean 'label'",
    ),
    "a file that is not there": (
        ["generate", "MODEL", "--condition", "class_label=@gone.json"],
        "file 'gone.json' not found",
    ),
    "a file that is not JSON": (
        ["generate", "MODEL", "--condition", "class_label=@BROKEN"],
        "cannot be read as JSON",
    ),
    "a picture where none goes": (
        ["generate", "MODEL", "--condition", "prompt=@PICTURE"],
        "takes no picture",
    ),
    "an array that is none": (
        ["generate", "MODEL", "--condition", "class_label=@array.npy"],
        "'array.npy' cannot be read as an array of numbers",
    ),
    "an array of words": (
        ["generate", "MODEL", "--condition", "class_label=@words.npy"],
        "expected an array of numbers",
    ),
    "a pickle": (
        ["generate", "MODEL", "--condition", "class_label=@pickle.npy"],
        "'pickle.npy' cannot be read as an array of numbers",
    ),
    "an array cut short": (
        ["generate", "MODEL", "--condition", "class_label=@short.npy"],
        "'short.npy' cannot be read as an array of numbers",
    ),
    "a picture to start from that is not there": (
        ["generate", "x", "MODEL", "--init-image", "gone.png"],
        "--init-image: no image can be read from 'gone.png'",
    ),
    "a start that is not a picture": (
        ["generate", "x", "MODEL", "--init-image", "FILE.png"],
        "--init-image: no image can be read",
    ),
    "a mask that is not a picture": (
        ["generate", "x", "MODEL", "--init-image", "PICTURE", "--mask", "FILE.png"],
        "--mask: no image can be read",
    ),
    "a strength of nothing": (
        ["generate", "x", "MODEL", "--init-image", "PICTURE", "--strength", "0"],
        "--strength: Input should be greater than 0, got 0",
    ),
    "a strength above 1": (
        ["generate", "x", "MODEL", "--init-image", "PICTURE", "--strength", "1.5"],
        "--strength: Input should be less than or equal to 1, got 1.5",
    ),
    "a strength without a picture": (
        ["generate", "x", "MODEL", "--strength", "0.5"],
        "--strength: needs --init-image, which is missing",
    ),
    "a mask of nothing": (
        ["generate", "x", "MODEL", "--init-image", "PICTURE", "--mask", "PICTURE"],
        "the mask has no white pixels",
    ),
    "a step count that the paper's code fails at": (
        ["generate", "x", "MODEL", "--schedule", "compvis"],
        "is for the process 'vp', not 'rectified_flow'",
    ),
    "a misspelt device": (["generate", "x", "MODEL", "--device", "cpuu"], "device 'cpuu'"),
    "a misspelt precision": (["generate", "x", "MODEL", "--dtype", "float31"], "'float32'"),
    "an output that is there": (["generate", "x", "MODEL", "-o", "FILE.png"], "already exists"),
    "an output that is not a PNG": (["generate", "x", "MODEL", "-o", "a.gif"], NO_PNG),
    "one file for two pictures": (
        ["generate", "x", "MODEL", "-n", "2", "-o", "a.png"],
        "cannot hold 2 pictures",
    ),
    "an output under a file": (["generate", "x", "MODEL", "-o", "FILE/a.png"], "is not a folder"),
    "a replay of nothing": (["replay", "gone.png"], "gone.png: not found"),
    "a replay of no picture": (["replay", "FILE"], "no picture can be read"),
    "a replay of a foreign picture": (["replay", "PICTURE"], "carries no provenance"),
    "a model to show that is not there": (["models", "show", "nowhere"], "'nowhere' not found"),
    "a folder to verify without a model": (["models", "verify", "FOLDER"], "latelier.json"),
    "a background that is not there": (["data", "preview", "--background", "plan"], "'plain'"),
    "a vocabulary that is not there": (["data", "preview", "--vocabulary", "small"], "'basic'"),
    "scenes that are too small": (["data", "preview", "--size", "4"], "'size'"),
    "a sheet that is not a PNG": (["data", "preview", "-o", "a.gif"], NO_PNG),
    "a training without a configuration": (["train", "first-stage", "gone.yaml"], "gone.yaml"),
    "a configuration that is not YAML": (["train", "denoiser", "BROKEN"], "expected a mapping"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gives_one_line_status_2_and_no_file(
    cli, tiny_model, tmp_path, monkeypatch, case
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "file").write_text("not a picture")
    (tmp_path / "file.png").write_text("precious")
    (tmp_path / "broken.json").write_text("nonsense")
    (tmp_path / "folder").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    (tmp_path / "array.npy").write_text("not an array")
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.save(tmp_path / "short.npy", np.zeros(100))
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-50])
    before = sorted(tmp_path.rglob("*"))
    arguments, message = CASES[case]
    words = {
        "MODEL": ["-m", tiny_model],
        "FILE": ["file"],
        "FOLDER": ["folder"],
        "PICTURE": ["picture.png"],
        "BROKEN": ["broken.json"],
    }
    typed = [each for word in arguments for each in words.get(word, [_in_place(word)])]
    done = cli(*typed)
    assert done.status == 2, done
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].lower().startswith("error: ")
    assert done.out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file.png").read_text() == "precious"


def _in_place(word: str) -> str:
    for upper, lower in (
        ("FILE", "file"),
        ("PICTURE", "picture.png"),
        ("BROKEN", "broken.json"),
    ):
        word = word.replace(upper, lower)
    return word


def edit(manifest, change):
    values = json.loads(manifest.read_text())
    change(values)
    manifest.write_text(json.dumps(values))


DAMAGES = {
    "a truncated weight file": (
        lambda folder: (folder / "denoiser.safetensors").write_bytes(
            (folder / "denoiser.safetensors").read_bytes()[:-10]
        ),
        "denoiser.safetensors: its SHA-256 is",
    ),
    "a weight file with one bit changed": (
        lambda folder: (folder / "first_stage.safetensors").write_bytes(
            (folder / "first_stage.safetensors").read_bytes()[:-1] + b"\x01"
        ),
        "first_stage.safetensors: its SHA-256 is",
    ),
    "a weight file that is gone": (
        lambda folder: (folder / "conditioner.text.safetensors").unlink(),
        "conditioner.text.safetensors: cannot be read",
    ),
    "a manifest that is cut short": (
        lambda folder: (folder / "latelier.json").write_text("{"),
        "latelier.json: cannot be read as JSON",
    ),
    "a manifest with a misspelt field": (
        lambda folder: edit(folder / "latelier.json", lambda values: values.update(card_=1)),
        "Did you mean 'card'",
    ),
    "a plugin that is not installed": (
        lambda folder: edit(
            folder / "latelier.json",
            lambda values: values["denoiser"].update(id="latelier-foo/vit", version="1.2"),
        ),
        "pip install 'latelier-foo>=1.2'",
    ),
    "a file outside the folder": (
        lambda folder: edit(
            folder / "latelier.json",
            lambda values: values["denoiser"]["weights"].update(path="../denoiser.safetensors"),
        ),
        "outside the folder",
    ),
    "a configuration that the plugin does not know": (
        lambda folder: edit(
            folder / "latelier.json",
            lambda values: values["denoiser"]["config"].update(modle_channels=8),
        ),
        "Did you mean 'model_channels'",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_model_is_an_error(cli, tiny_model, tmp_path, case):
    damage, message = DAMAGES[case]
    shutil.copytree(tiny_model, tmp_path / "model")
    damage(tmp_path / "model")
    done = cli("generate", "a cat", "-m", "model", "-o", "a.png")
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert done.err.startswith("error: ")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "a", "--init-image", "FILE"],
        ["generate", "a", "--init-image", "picture.png", "--mask", "FILE"],
        ["generate", "a", "--model", "emoji-scenes", "--condition", "class_label=@FILE"],
        ["generate", "a", "--model", "emoji-scenes", "--condition", "class_label=@FILE.json"],
        ["generate", "a", "--model", "emoji-scenes", "--condition", "class_label=@FILE.npy"],
        ["generate", "a", "--schedule", "@FILE"],
        ["generate", "a", "--adapter", "./FILE"],
        ["generate", "a", "-o", "FILE"],
        ["replay", "FILE"],
        ["strip", "FILE", "-o", "new.png"],
        ["train", "denoiser", "FILE"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("exists", [False, True])
def test_an_error_names_a_file_once(cli, tmp_path, arguments, exists):
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    if exists:
        for name in ("unreadable", "unreadable.json", "unreadable.npy"):
            (tmp_path / name).write_text("{")
    if arguments[-1] == "FILE" and "-o" in arguments:
        arguments = [*arguments[:-1], "picture.png"]
    done = cli(*(each.replace("FILE", "unreadable") for each in arguments))
    assert done.status == 2
    name = "picture.png" if "-o" in arguments and "generate" in arguments else "unreadable"
    assert done.err.count(name) == 1, done.err
