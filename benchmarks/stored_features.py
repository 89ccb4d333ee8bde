"""Measure what stored text features save in the training of a LoRA.

A text encoder of 6 layers, width 256 and 77 tokens (CLIP in small) and a tiny UNet with random
weights, cached latents, batches of 32, no data workers. Rounds with and without stored features
alternate. A number is the median over rounds of the CPU seconds for 1,000 samples:

loading: reading samples, tokenizing, and making batches of them
steps: loss, gradients and update
writing: `latelier data cache` for 1,000 new captions

python benchmarks/stored_features.py --json
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from PIL import Image

import latelier
from latelier.training.caching import open_caches
from latelier.training.configs.lora import LoraTraining
from latelier.training.loop.plan import TrainingPlan
from latelier.training.lora.train import plan_lora

WIDTH, BATCH, PICTURES = 256, 32, 512
COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "brown", "grey")
THINGS = ("cat", "dog", "house", "tree", "car", "boat", "apple", "bird")
PLACES = ("in a meadow", "on the sea", "under a tree", "on a table", "in the snow")
CPU = torch.device("cpu")


def make_model(folder: Path, captions: Sequence[str]) -> None:
    """Save a model with random weights whose text encoder resembles CLIP's."""
    text = {"width": WIDTH, "layers": 6, "heads": 4, "max_length": 77}
    pipeline = latelier.compose(
        first_stage=(
            "autoencoder_kl",
            {"ch": 8, "ch_mult": [1, 2, 2], "num_res_blocks": 1, "num_groups": 4},
        ),
        denoiser=(
            "unet",
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": 32,
                "channel_mult": [1, 2],
                "num_res_blocks": 1,
                "attention_resolutions": [2],
                "num_heads": 2,
                "num_groups": 8,
                "context_dim": WIDTH,
                "streams": {"text": {"width": WIDTH, "injection": "native"}},
            },
        ),
        conditioners={"text": ("text", text)},
        inputs={"prompt": "text"},
        process={"kind": "rectified_flow"},
        defaults={"size": 32},
        device="cpu",
    )
    pipeline.conditioner_components["text"].module.fit(captions)
    pipeline.save(folder)


def make_pictures(folder: Path) -> list[str]:
    """Write pictures with one caption each, and return the captions."""
    folder.mkdir()
    captions = []
    for k in range(PICTURES):
        words = (COLORS[k % 8], THINGS[k // 8 % 8], PLACES[k % 5])
        captions.append(f"a {words[0]} {words[1]} {words[2]}, number {k} of a long series")
        Image.new("RGB", (32, 32), (k % 256, 90, 200)).save(folder / f"{k:03d}.png")
        (folder / f"{k:03d}.txt").write_text(captions[-1])
    return captions


def measure(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function, and the CPU seconds that it took."""
    start = time.process_time()
    return work(), time.process_time() - start


def run_round(plan: TrainingPlan, first: int, samples: int) -> tuple[float, float]:
    """Return the CPU seconds of loading and of steps, for 1,000 samples."""
    objective, dataset = plan.objective, plan.dataset
    optimizer = torch.optim.AdamW(objective.trained.parameters(), lr=1e-4)
    loading = steps = 0.0
    for position in range(first, first + samples, BATCH):
        batch, seconds = measure(
            lambda start=position: objective.collate([dataset[start + k] for k in range(BATCH)])
        )
        loading += seconds
        steps += measure(lambda batch=batch: take_step(objective, optimizer, batch))[1]
    return 1000 * loading / samples, 1000 * steps / samples


def take_step(objective: Any, optimizer: torch.optim.Optimizer, batch: dict[str, Any]) -> None:
    """Update the LoRA once."""
    optimizer.zero_grad()
    objective(batch, 0)["loss"].backward()
    optimizer.step()


def run(folder: Path, rounds: int, samples: int) -> dict[str, dict[str, float]]:
    """Return the median seconds of each part, with and without stored features."""
    make_model(folder / "model", make_pictures(folder / "pictures"))
    data = {"path": str(folder / "pictures"), "size": 32}
    cache = {"folder": str(folder / "cache")}
    values: dict[str, Any] = {
        "out": str(folder / "run"),
        "model": str(folder / "model"),
        "batch_size": BATCH,
        "steps": rounds * samples // BATCH + 1,
        "validation": {"samples": 8},
    }
    file = folder / "config.yaml"
    stored = {**values, "data": {**data, "cache": {**cache, "conditioners": ["text"]}}}
    file.write_text(yaml.safe_dump(stored))
    atelier = latelier.default_atelier()
    latents, [features] = open_caches("lora", file, atelier)
    latents.write(lambda jobs: latents.encode(jobs, CPU, 0), lambda results, _: results)
    state, seconds = measure(lambda: features.write(CPU, lambda results, _: results))
    plans = {
        "computed": plan_lora(
            LoraTraining.model_validate({**values, "data": {**data, "cache": cache}}), atelier
        ),
        "stored": plan_lora(LoraTraining.model_validate(stored), atelier),
    }
    for plan in plans.values():
        run_round(plan, 0, BATCH)  # warms up
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in plans}
    for k in range(rounds):
        for name, plan in plans.items():
            times[name].append(run_round(plan, k * samples, samples))
    result = {
        name: {part: median(column) for part, column in zip(("loading", "steps"), zip(*rows))}
        for name, rows in times.items()
    }
    result["stored"]["writing"] = 1000 * seconds / state.written
    return result


def main() -> None:
    """Print the table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=512, help="samples of a round")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="latelier-") as folder:
        result = run(Path(folder), arguments.rounds, arguments.samples)
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    for name, parts in result.items():
        listed = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
        print(f"{name}: {listed}")


if __name__ == "__main__":
    main()
