"""Train each recipe a few hundred steps, and measure it against its untrained start.

Each recipe has its own measure, and a margin by which the trained model must beat its start: the
recipe's model before the first step, for LoRA and adapter the model without them. It must also
exceed baselines, such as bicubic enlargement. The report says what differs from the recipe's file.
Writes recipes.json, and a sheet of each task (held-out scenes above generated pictures) to --out:

python benchmarks/recipes.py --out runs/recipes
python benchmarks/recipes.py --only layout inpainting --steps 200 --out runs/two-recipes
"""

import argparse
import json
import runpy
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import yaml
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

import latelier
from latelier.contracts.frozen import validate
from latelier.contracts.images.pixels import pil_to_tensor, tensor_to_pil
from latelier.data.emoji_scenes import all_glyphs, vocabulary
from latelier.evaluation.detector.reading import read_pictures
from latelier.evaluation.drawn_objects import (
    balanced_agreement,
    bounding_boxes,
    box_iou,
    find_objects,
)
from latelier.evaluation.scenes import stack_pictures
from latelier.io.atomic import write_json
from latelier.metrics.psnr import psnr
from latelier.metrics.scene_detector import load_detector
from latelier.training.adapter.train import plan_adapter, train_adapter
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.configs.lora import LoraTraining
from latelier.training.denoiser.evaluator import DenoiserEvaluator
from latelier.training.denoiser.train import plan_denoiser, train_denoiser
from latelier.training.first_stage.train import plan_first_stage, train_first_stage
from latelier.training.loop.run import TrainingResult
from latelier.training.lora.train import plan_lora, train_lora
from latelier.training.monitoring.sheets import split_rows, tile_images

ROOT = Path(__file__).parents[1]
FEW_GLYPHS = ["cat", "pizza", "red car", "tree", "blue car", "sunflower", "castle", "robot"]
SAMPLES = 64
COLUMNS = 16

Inputs = Mapping[str, Any]
Samples = Sequence[Mapping[str, Any]]
Measure = Callable[[Tensor, Samples, Inputs], float]
Make = Callable[[Tensor, Samples, Inputs], Tensor]


@dataclass(frozen=True)
class Outcome:
    """What was measured of a recipe.

    Attributes:
        recipe: Its name.
        measure: What was measured, with its unit.
        start: Of the untrained start.
        trained: After training.
        margin: By how much the trained model must be better.
        is_met: Whether it is, and exceeds the baselines too.
        changes: What differs from the recipe's file.
        seconds: Of the training, on this machine.
        baselines: The measure of trivial results.
        references: Other values of the measure, such as that of the real pictures.
        threads: Of the training.
    """

    recipe: str
    measure: str
    start: float
    trained: float
    margin: str
    is_met: bool
    changes: Mapping[str, Any]
    seconds: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    references: Mapping[str, float] = field(default_factory=dict)
    threads: int = field(default_factory=torch.get_num_threads)


@dataclass(frozen=True)
class Task:
    """A recipe of pictures, and how they are judged.

    Attributes:
        measure: Of generated pictures (B, 3, H, W); higher is better.
        unit: Its description.
        gain: Least difference between the trained model and its start.
        changes: Fields that differ from the recipe's file.
        sampling: Keywords of `generate` that differ from the recipe's defaults. A measurement with
            the defaults is then among the references.
        baselines: Trivial results, by name, which the trained model must exceed.
        references: Other pictures to measure, by name.
    """

    measure: Measure
    unit: str
    gain: float
    changes: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Make] = field(default_factory=dict)
    references: Mapping[str, Make] = field(default_factory=dict)


def measure_accuracy(images: Tensor, samples: Samples, _inputs: Inputs) -> float:
    """Return how often the largest object, of the few, is the sample's."""
    numbers = {glyph.name: glyph.index for glyph in all_glyphs()}
    few = [numbers[name] for name in FEW_GLYPHS]
    known = vocabulary("basic")
    hits = [
        bool(objects)
        and few[int(objects[0].scores[few].argmax())] == known[sample["class_label"]].index
        for objects, sample in zip(
            read_pictures(load_detector(), images).objects, samples, strict=True
        )
    ]
    return fmean(hits)


def measure_boxes(images: Tensor, samples: Samples, _inputs: Inputs) -> float:
    """Return the mean IoU of the drawn object's box with that of the layout."""
    asked = torch.tensor([sample["layout"][0]["box"] for sample in samples])
    return box_iou(bounding_boxes(find_objects(images)), asked).mean().item()


def measure_maps(images: Tensor, samples: Samples, _inputs: Inputs) -> float:
    """Return the agreement of the drawn object's pixels with those of the map."""
    maps = torch.stack([torch.as_tensor(sample["semantic_map"]) > 0 for sample in samples])
    return balanced_agreement(find_objects(images), maps).mean().item()


def measure_psnr(images: Tensor, samples: Samples, _inputs: Inputs) -> float:
    return psnr(images, originals(images, samples, {})).mean().item()


def measure_masked_psnr(images: Tensor, samples: Samples, inputs: Inputs) -> float:
    """Return the PSNR of the repainted pixels of all pictures together."""
    masks = torch.stack([pil_to_tensor(mask.convert("RGB")) > 0 for mask in inputs["mask"]])
    errors = (images - originals(images, samples, {}))[masks].square().mean()
    return (10 * torch.log10(4 / errors)).item()


def originals(_images: Tensor, samples: Samples, _inputs: Inputs) -> Tensor:
    """Return the held-out pictures: a perfect result."""
    return torch.stack([sample["image"] for sample in samples])


def shifted(images: Tensor, _samples: Samples, _inputs: Inputs) -> Tensor:
    """Return the pictures of the next sample's condition: a result that ignores its own."""
    return images.roll(1, 0)


def enlarge(images: Tensor, _samples: Samples, inputs: Inputs) -> Tensor:
    """Return the degraded pictures, enlarged by bicubic interpolation."""
    small = torch.stack([pil_to_tensor(each.image) for each in inputs["image"]])
    return interpolate(small, images.shape[2:], mode="bicubic").clamp(-1, 1)


def fill_with_mean(_images: Tensor, samples: Samples, inputs: Inputs) -> Tensor:
    """Return the pictures with the mean colour of what is kept in place of what is masked."""
    pictures = originals(_images, samples, inputs).clone()
    for picture, mask in zip(pictures, inputs["mask"], strict=True):
        hole = pil_to_tensor(mask.convert("RGB"))[0] > 0
        picture[:, hole] = picture[:, ~hole].mean(1, keepdim=True)
    return pictures


FEW = {"data.config.glyphs": FEW_GLYPHS}
PLAIN = {**FEW, "data.config.backgrounds": ["plain"], "data.config.shadow": False}
OF_ANOTHER = {"of another sample": shifted}
PERFECT = {"held-out scenes": originals}
TO_THE_MEAN = {"steps": 2}
"""Two steps end near the mean of all pictures that fit, which has the highest PSNR; the recipes'
number of steps draws one of them."""
ACCURACY = f"accuracy of the object, of {len(FEW_GLYPHS)}"
ONE_LARGE = {**PLAIN, "data.config.objects": [1, 1], "data.config.scale": [0.3, 0.85]}
TASKS = {
    "class": Task(measure_accuracy, ACCURACY, 0.3, FEW, {}, OF_ANOTHER, PERFECT),
    "text": Task(measure_accuracy, ACCURACY, 0.3, FEW, {}, OF_ANOTHER, PERFECT),
    "retrieval": Task(measure_accuracy, ACCURACY, 0.3, {}, {}, OF_ANOTHER, PERFECT),
    "layout": Task(
        measure_boxes, "IoU of the object's box", 0.2, ONE_LARGE, {}, OF_ANOTHER, PERFECT
    ),
    "semantic-map": Task(measure_maps, "agreement of pixels", 0.2, PLAIN, {}, OF_ANOTHER, PERFECT),
    "super-resolution": Task(
        measure_psnr,
        "PSNR, dB",
        3.0,
        sampling=TO_THE_MEAN,
        baselines={"bicubic enlargement": enlarge, **OF_ANOTHER},
    ),
    "inpainting": Task(
        measure_masked_psnr,
        "PSNR of masked pixels, dB",
        3.0,
        sampling=TO_THE_MEAN,
        baselines={"mean colour": fill_with_mean},
    ),
}
ERRORS = {
    "unconditional": (DenoiserTraining, plan_denoiser, train_denoiser, 0.6),
    "fine-tune": (DenoiserTraining, plan_denoiser, train_denoiser, 0.95),
    "lora": (LoraTraining, plan_lora, train_lora, 0.9),
    "adapter": (AdapterTraining, plan_adapter, train_adapter, 0.97),
}
"""Recipes that are measured by their error at fixed noise levels, and the ratio to reach."""
FIRST_STAGES = {"first-stage-kl": 5.0, "first-stage-vq": 5.0}
"""Recipes that are measured by the PSNR of reconstructions, and the gain in dB to reach."""


def main() -> None:
    known = [*FIRST_STAGES, *ERRORS, *TASKS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=known, default=known, metavar="RECIPE")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"), help="a new folder")
    arguments = parser.parse_args()
    with chdir(ROOT):  # the recipes run from there
        raise SystemExit(run(arguments.only, arguments.steps, arguments.out.absolute()))


def run(names: Sequence[str], steps: int, out: Path) -> int:
    """Run recipes, print and write the outcomes; return 1 if a margin is missed, else 0."""
    outcomes = []
    for name in names:
        outcomes.append(run_recipe(name, steps, out / name))
        print(to_row(outcomes[-1]), flush=True)
        write_json(out / "recipes.json", [asdict(each) for each in outcomes])
    print("\n" + to_table(outcomes))
    missed = [each.recipe for each in outcomes if not each.is_met]
    print(f"margins missed: {', '.join(missed)}" if missed else "all margins met")
    return int(bool(missed))


def run_recipe(name: str, steps: int, out: Path) -> Outcome:
    if name in FIRST_STAGES:
        return measure_first_stage(name, steps, out)
    if name in ERRORS:
        return measure_error(name, steps, out)
    return measure_task(name, steps, out)


def read_recipe(
    name: str, steps: int, out: Path, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a shorter run of a recipe, and what differs from its file."""
    fields = yaml.safe_load((ROOT / "configs" / "recipes" / f"{name}.yaml").read_text())
    few = {"steps": steps, "schedule.warmup": min(20, steps // 2), **changes}
    for path, value in few.items():
        *parents, last = path.split(".")
        place = fields
        for parent in parents:
            place = place[parent]
        place[last] = value
    quiet = {
        **{f"{what}_every": steps for what in ("log", "validate", "sheet")},
        "sheet_weights": ["average"],
        "out": str(out / "run"),
    }
    return {**fields, **quiet}, few


def measure_first_stage(name: str, steps: int, out: Path) -> Outcome:
    fields, changes = read_recipe(name, steps, out, {})
    config = validate(FirstStageTraining, fields, name)
    plan = plan_first_stage(config, latelier.default_atelier())
    plan.objective.eval()
    with torch.no_grad():
        start = plan.evaluator.validate()["psnr"]
    seconds = timed(lambda: train_first_stage(config))
    trained = last_validation(config.out)["psnr"]
    gain = FIRST_STAGES[name]
    met, unit = trained >= start + gain, "PSNR of reconstruction, dB"
    return Outcome(name, unit, start, trained, f"+ {gain:g}", met, changes, seconds)


def measure_error(name: str, steps: int, out: Path) -> Outcome:
    model, plan, train, ratio = ERRORS[name]
    fields, changes = read_recipe(name, steps, out, {})
    config = validate(model, fields, name)
    prepared = plan(config, latelier.default_atelier())
    prepared.initialize(config.out, True)
    prepared.objective.eval()
    with torch.no_grad():
        start = prepared.evaluator.validate()["x0_error"]
    seconds = timed(lambda: train(config))
    trained = last_validation(config.out)["x0_error"]
    met = trained <= ratio * start
    unit = "error of x0 at fixed noise levels"
    return Outcome(name, unit, start, trained, f"x {ratio:g}", met, changes, seconds)


def measure_task(name: str, steps: int, out: Path) -> Outcome:
    task = TASKS[name]
    data = {"data.path": str(write_neighbors(out))} if name == "retrieval" else {}
    fields, changes = read_recipe(name, steps, out, {**task.changes, **data})
    config = validate(DenoiserTraining, fields, name)
    plan = plan_denoiser(config, latelier.default_atelier())
    plan.initialize(config.out, True)
    evaluator = plan.evaluator
    assert isinstance(evaluator, DenoiserEvaluator)
    samples = evaluator.list_held_out(SAMPLES)
    inputs = evaluator.list_inputs(samples)
    evaluator.export(out / "start")
    seconds = timed(lambda: train_denoiser(config))
    keywords = {**inputs, **task.sampling}
    before, after = (
        generate(folder, keywords) for folder in (out / "start", config.out / "result")
    )
    draw_sheet(samples, after).save(out / "sheet.png")
    start, trained = (task.measure(images, samples, inputs) for images in (before, after))
    baselines, references = (
        {
            label: task.measure(make(after, samples, inputs), samples, inputs)
            for label, make in group.items()
        }
        for group in (task.baselines, task.references)
    )
    if task.sampling:
        usual = generate(config.out / "result", inputs)
        draw_sheet(samples, usual).save(out / "sheet-defaults.png")
        references["the recipe's sampling"] = task.measure(usual, samples, inputs)
    changes |= {f"sampling.{keyword}": value for keyword, value in task.sampling.items()}
    met = trained >= start + task.gain and all(trained > value for value in baselines.values())
    margin = f"+ {task.gain:g}"
    return Outcome(
        name, task.unit, start, trained, margin, met, changes, seconds, baselines, references
    )


def write_neighbors(out: Path) -> Path:
    """Write scenes of the few glyphs with the embeddings of their neighbours."""
    tool = runpy.run_path(str(ROOT / "tools" / "write_neighbors.py"))
    path: Path = tool["write_scenes"](out / "neighbors", 1500, tuple(FEW_GLYPHS))
    return path


def generate(folder: Path, keywords: Mapping[str, Any]) -> Tensor:
    pipe = latelier.load(str(folder), device="cpu", dtype="float32")
    pictures = pipe.generate(**keywords, seed=0, batch_size=32)
    return stack_pictures([picture.image for picture in pictures])


def timed(train: Callable[[], TrainingResult]) -> float:
    """Return the seconds of a training; end the program if it was interrupted."""
    start = time.monotonic()
    if not train().finished:
        raise SystemExit(130)
    return round(time.monotonic() - start, 1)


def last_validation(out: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    found: dict[str, float] = [each for each in lines if each.get("event") == "validation"][-1][
        "ema"
    ]
    return found


def draw_sheet(samples: Samples, images: Tensor) -> Image.Image:
    """Return rows of held-out scenes, each above generated pictures of the same inputs."""
    first = 2 * COLUMNS
    rows = [
        split_rows(tensor_to_pil(each[:first]), COLUMNS)
        for each in (originals(images, samples, {}), images)
    ]
    return tile_images([row for pair in zip(*rows, strict=True) for row in pair], zoom=1)


def to_table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    head = "| recipe | measure | start | trained | margin | met | others | s | threads |"
    return "\n".join([head, "|---" * 9 + "|", *(to_row(each) for each in outcomes)])


def to_row(outcome: Outcome) -> str:
    others = {**outcome.baselines, **outcome.references}
    values = ", ".join(f"{name} {value:.3g}" for name, value in others.items())
    return (
        f"| {outcome.recipe} | {outcome.measure} | {outcome.start:.3g} | {outcome.trained:.3g} | "
        f"{outcome.margin} | {'yes' if outcome.is_met else 'NO'} | {values} | "
        f"{outcome.seconds:g} | {outcome.threads} |"
    )


if __name__ == "__main__":
    main()
