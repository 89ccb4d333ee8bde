"""Every published model does its task by the line and the call of docs/tasks.md."""

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.torch import save_file

import latelier
from latelier.conversion.building import build_model
from latelier.presets import Preset, preset_names, read_preset

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text()
MODELS = [name for name in preset_names() if read_preset(name).denoiser is not None]
OTHERWISE_PUBLISHED = ("ldm1-cin256", "dit-xl-2-256", "dit-xl-2-512")
WIDTH = 32
WORDS = ("a", "cat", "on", "sofa", "blurred", "oil", "canvas", ",")


class Task(NamedTuple):
    """A section of the page: the models that it names, and its line and call for one of them."""

    models: list[str]
    shown: str
    line: str
    call: str


def sections() -> dict[str, Task]:
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        line = re.findall(r"```console\n(.*?)\n```", text, re.DOTALL)[0]
        call = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)[0]
        shown = re.findall(r"--model (\S+)", line)[0]
        named = [name for name in MODELS if f"`{name}`" in text]
        found[title] = Task(named or [shown], shown, line, call)
    return found


TASKS = sections()
CASES = [(title, name) for title, task in TASKS.items() for name in task.models]
FULL_WIDTH = [(title, name) for title, name in CASES if not name.startswith("sdxl")]
"""Those of SDXL are too large for a test: `benchmarks.cases.sdxl` makes a picture."""


def test_every_model_has_a_task():
    assert {name for _, name in CASES} == set(MODELS)


def arguments(title: str, name: str) -> list[str]:
    """Return the line of a section for one of its models, without the program."""
    task = TASKS[title]
    _, *words = shlex.split(task.line.replace(f"--model {task.shown}", f"--model {name}"))
    if title == "Inpainting" and "prompt" in (read_preset(name).inputs or {}):
        words.insert(1, "a cat")
    return words


def reduced(preset: Preset) -> dict[str, Any]:
    """Return a preset of the same structure whose networks are a few channels wide."""
    values = preset.model_dump()
    values["defaults"]["size"] = 128
    for part in (values["first_stage"], values["denoiser"], *values["conditioners"].values()):
        config = part["config"]
        narrow = {
            "ch": 8,
            "n_embed": 16 if part["id"].startswith("latelier/autoencoder") else WIDTH,
            "n_layer": 1,
            "model_channels": 16,
            "num_heads": 2,
            "num_head_channels": 8,
            "hidden_size": WIDTH,
            "depth": 1,
            "transformer_depth": 1,
            "context_dim": WIDTH,
            "width": WIDTH,
        }
        config.update({key: value for key, value in narrow.items() if key in config})
        if part["id"] == "latelier-transformers/clip_text":
            config.update(clip_sizes())
        if part["id"] == "latelier-transformers/clip_pair_text":
            for encoder in config.values():
                encoder.update(clip_sizes() | {"hidden_size": WIDTH // 2})
        if part["id"] == "latelier/picture_size":
            config["width"] = 8
        if part["id"] == "latelier/bert_text":
            config["vocab_size"] = len(bert_files()["vocab.txt"].split())
        if "ch" in config:
            config["num_groups"] = 4
        if "model_channels" in config:
            config["num_groups"] = 8
        for slot in config.get("streams", {}).values():
            slot["width"] = WIDTH
        if "vectors" in config:
            config["vectors"] = dict.fromkeys(config["vectors"], WIDTH)
        if "joint_vectors" in config:
            is_pair = "clip_l" in values["conditioners"]["text"]["config"]
            text, numbers = (WIDTH // 2, 6) if is_pair else (WIDTH, 5)
            config["vectors"] = {"text": text, "picture_size": numbers * 8}
    return values


def bert_files() -> dict[str, bytes]:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    return {"vocab.txt": "\n".join(tokens).encode()}


def clip_files(size: int | None = None) -> dict[str, bytes]:
    """Return a tokenizer of bytes alone, filled up to `size` with words that no prompt has."""
    alphabet = sorted(pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += [f"unsaid{k}" for k in range(len(tokens), (size or 0) - 2)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    ids = {token: number for number, token in enumerate(tokens)}
    return {"vocab.json": json.dumps(ids).encode(), "merges.txt": b"#version: 0.2\n"}


def clip_sizes() -> dict[str, Any]:
    size = len(json.loads(clip_files()["vocab.json"]))
    return {
        "vocab_size": size,
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "bos_token_id": size - 2,
        "eos_token_id": size - 1,
        "pad_token_id": size - 1,
    }


def files_for(preset: Preset, *, whole: bool) -> Mapping[str, bytes]:
    """Return the files of a model's text encoder; `whole`, with as many tokens as published."""
    id_ = preset.conditioners["text"].id if "text" in preset.conditioners else None
    if id_ == "latelier/bert_text":
        tokens = bert_files()["vocab.txt"].decode().split()
        tokens += [f"[unused{k}]" for k in range(30522 - len(tokens) if whole else 0)]
        return {"vocab.txt": "\n".join(tokens).encode()}
    if id_ in ("latelier-transformers/clip_text", "latelier-transformers/clip_pair_text"):
        return clip_files(49408 if whole else None)
    return {}


@pytest.fixture
def at_hand(cli, tmp_path, monkeypatch, with_clip):
    """The files that the page speaks of, in the folder of the command line; a plugin's too."""
    monkeypatch.setattr("latelier.kernel.default.default_atelier", lambda: with_clip)
    monkeypatch.setattr("latelier.pipeline.loading.default_atelier", lambda: with_clip)

    def prepare(preset: Preset) -> None:
        side = preset.defaults["size"]
        draw = np.random.default_rng(0)
        pixels = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photo.png")
        Image.fromarray(pixels[: side // 4, : side // 4]).save(tmp_path / "small.png")
        Image.fromarray(pixels[..., 0] % 182).save(tmp_path / "map.png")
        hole = np.zeros((side, side), dtype=np.uint8)
        hole[side // 4 : side // 2, side // 4 :] = 255
        Image.fromarray(hole).save(tmp_path / "hole.png")
        objects = [{"label": 3, "box": [0.1, 0.2, 0.5, 0.9]}]
        (tmp_path / "objects.json").write_text(json.dumps(objects))
        width = (preset.denoiser.config if preset.denoiser else {}).get("context_dim") or 1
        np.save(tmp_path / "vectors.npy", draw.standard_normal((3, width)))

    return prepare


def check_picture(path: Path, preset: Preset) -> None:
    image = Image.open(path)
    assert image.size == (preset.defaults["size"],) * 2
    assert np.asarray(image).std() > 1


def called(title: str) -> Any:
    """Run the call of a section, with two steps; return its picture."""
    before, _, call = TASKS[title].call.replace("seed=1", "seed=1, steps=2").rpartition("latelier.")
    names: dict[str, Any] = {"latelier": latelier, "np": np}
    exec(before, names)
    (picture,) = eval(f"latelier.{call}", names)
    return picture.image


@pytest.mark.parametrize(("title", "name"), CASES)
def test_command_and_call_work_at_reduced_width(cli, at_hand, with_clip, tmp_path, title, name):
    values = reduced(read_preset(name))
    preset = Preset.model_validate(values)
    at_hand(preset)
    (tmp_path / "preset.yaml").write_text(json.dumps(values))
    files = files_for(preset, whole=False)
    assets = {"text": files} if files else {}
    build_model(tmp_path / "preset.yaml", tmp_path / name, assets=assets, atelier=with_clip)
    done = cli(*arguments(title, name), "--steps", 2)
    assert done.status == 0, done.err
    check_picture(tmp_path / "picture.png", preset)
    if name == TASKS[title].shown:
        assert np.array_equal(np.asarray(called(title)), np.asarray(Image.open("picture.png")))


@pytest.mark.zoo
@pytest.mark.parametrize(("title", "name"), FULL_WIDTH)
def test_the_command_works_at_full_width_after_an_import(
    cli, at_hand, compvis_checkpoint, published_yaml, drawn, tmp_path, title, name
):
    preset = read_preset(name)
    at_hand(preset)
    (tmp_path / "source").mkdir()
    for file, data in files_for(preset, whole=True).items():
        (tmp_path / "source" / file).write_bytes(data)
    try:
        if name in OTHERWISE_PUBLISHED:
            assert cli("models", "build", name, name).status == 0
        else:
            write_checkpoint(tmp_path / "source", published_yaml(name), compvis_checkpoint, drawn)
            done = cli("import", "source", name)
            assert done.status == 0, done.err
        done = cli(*arguments(title, name), "--steps", 2)
        assert done.status == 0, done.err
        check_picture(tmp_path / "picture.png", preset)
    finally:
        for each in (tmp_path / "source", tmp_path / name):
            shutil.rmtree(each, ignore_errors=True)


def write_checkpoint(folder: Path, config: Any, checkpoint: Any, drawn: Any) -> None:
    """Write a file as it was published, in 16 bits and without averages, and its YAML."""
    config["model"]["params"]["use_ema"] = False
    (folder / "model.yaml").write_text(yaml.safe_dump(config))
    tensors = checkpoint(config, lambda shape: drawn(shape).half())
    save_file(
        {name: tensor.clone() for name, tensor in tensors.items()}, folder / "model.safetensors"
    )
