"""Every recipe builds from the root of the repository, and trains at a reduced size."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from latelier import default_atelier, load
from latelier.contracts.frozen import validate
from latelier.training.adapter.train import train_adapter
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.configs.lora import LoraTraining
from latelier.training.configs.training import read_training
from latelier.training.denoiser.train import plan_denoiser, train_denoiser
from latelier.training.distillation.train import train_distillation
from latelier.training.lora.train import train_lora

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "configs" / "recipes"
FIRST_STAGES = {"first-stage-kl", "first-stage-vq"}  # see test_recipes.py of first_stage
TASKS = {
    "unconditional", "class", "text", "layout", "semantic-map", "super-resolution", "inpainting",
    "retrieval", "fine-tune",
}  # fmt: skip
PARTS = {"adapter", "lora", "few-steps"}
SMALL: dict[str, Any] = {
    "steps": 2, "batch_size": 2, "accelerator": "cpu", "precision": "32-true", "log_every": 1,
    "fit_samples": 300, "sheet_weights": ["raw"], "validation": {"samples": 2, "levels": [0.5]},
}  # fmt: skip
SMALL_UNET = {"model_channels": 32, "channel_mult": [1, 1], "num_groups": 8}


def small(name: str, out: Path) -> dict[str, Any]:
    """Return a recipe's fields, with few steps and a narrow denoiser."""
    fields = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
    if "denoiser" in fields:
        fields["denoiser"]["config"] |= SMALL_UNET
        fields["defaults"]["steps"] = 1
    if "config" in fields["data"]:
        fields["data"]["config"]["size"] = 32
    return {**fields, **SMALL, "out": str(out)}


def logged(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def test_every_recipe_is_tested():
    assert {path.stem for path in RECIPES.glob("*.yaml")} == FIRST_STAGES | TASKS | PARTS


@pytest.fixture(scope="module")
def own_pictures(tmp_path_factory) -> Path:
    """A manifest with every kind of annotation."""
    folder = tmp_path_factory.mktemp("own")
    lines = []
    for k in range(40):
        Image.new("RGB", (48, 40), (6 * k, 0, 0)).save(folder / f"{k}.png")
        Image.new("L", (48, 40), k).save(folder / f"map-{k}.png")
        record = {
            "file": f"{k}.png",
            "captions": [f"a red of brightness {k} on the whole of picture number {k}"],
            "class_label": k % 3,
            "boxes": [{"box": [0.1, 0.2, 0.7, 0.9], "label": k % 5}],
            "semantic_map": f"map-{k}.png",
            "fields": {"neighbors": [[float(k)] + [1.0] * 191] * 4},
        }
        lines.append(json.dumps(record))
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return folder / "manifest.jsonl"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_recipe_takes_own_pictures_by_its_section_on_data(name, own_pictures, tmp_path):
    fields = small(name, tmp_path) | {"data": {"path": str(own_pictures), "size": 32}}
    plan = plan_denoiser(validate(DenoiserTraining, fields, name), default_atelier())
    plan.initialize(tmp_path, True)
    batch = plan.objective.collate([plan.dataset[k] for k in range(2)])
    assert plan.objective(batch, 0)["loss"].isfinite().all()


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_recipe_of_a_task_trains_a_model(name, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    read_training(RECIPES / f"{name}.yaml", DenoiserTraining)
    fields = small(name, tmp_path / "out")
    if name == "retrieval":
        fields["data"]["path"] = str(write_neighbors(tmp_path))
        fields["data"]["size"] = 32
    train_denoiser(validate(DenoiserTraining, fields, name))
    losses = [line["loss"] for line in logged(tmp_path / "out")]
    assert len(losses) == 2
    assert torch.tensor(losses).isfinite().all()
    load(str(tmp_path / "out" / "result"), device="cpu")


def test_the_recipe_of_an_adapter_trains_it(tmp_path):
    fields = small("adapter", tmp_path / "out")
    train_adapter(validate(AdapterTraining, fields, "adapter"))
    view = load("emoji-scenes", device="cpu").with_adapter(str(tmp_path / "out" / "result"))
    assert "layout" in view.inputs


def test_the_recipe_of_a_lora_trains_it(tmp_path):
    train_lora(validate(LoraTraining, small("lora", tmp_path / "out"), "lora"))
    assert (tmp_path / "out" / "result").exists()


def test_the_recipe_of_few_steps_trains_a_lora_with_them(tmp_path):
    fields = small("few-steps", tmp_path / "out")
    train_distillation(validate(DistillationTraining, fields, "few-steps"))


def write_neighbors(folder: Path) -> Path:
    """Write ten scenes with the embeddings of their neighbours; return the manifest."""
    tool = runpy.run_path(str(ROOT / "tools" / "write_neighbors.py"))
    path: Path = tool["write_scenes"](folder / "neighbors", 10, size=32)
    return path
