"""Measure the reconstructions of a first stage: PSNR on held-out scenes, and a sheet at 2x zoom.

Writes reconstruction.json and reconstruction.png (original | reconstruction) to --out:

python benchmarks/reconstruction.py --first-stage emoji-scenes --out runs/reconstruction
"""

import argparse
import json
from pathlib import Path

import torch

import latelier
from latelier.checkpoints.component import COMPONENT_FILE, load_component
from latelier.contracts.components import FirstStage
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.data.contact_sheet import draw_contact_sheet
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.io.atomic import write_json
from latelier.metrics.psnr import psnr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--first-stage",
        default="emoji-scenes",
        help="folder of a component, or folder or embedded name of a pipeline",
    )
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--size", type=int, default=64, help="side of the scenes in pixels")
    parser.add_argument("--vocabulary", choices=("basic", "all"), default="all")
    parser.add_argument("--seed", type=int, default=7_400_000, help="of the scenes")
    parser.add_argument("--sheet", type=int, default=32, help="scenes on the sheet")
    parser.add_argument("--out", type=Path, default=Path("runs/reconstruction"))
    arguments = parser.parse_args()
    first_stage = load_first_stage(arguments.first_stage)
    config = SceneConfig(size=arguments.size, vocabulary=arguments.vocabulary)
    images = to_images(read_scenes(EmojiScenes(config, arguments.seed, arguments.scenes)))
    with torch.inference_mode():
        copies = torch.cat(
            [first_stage.decode(first_stage.encode(part)) for part in torch.split(images, 50)]
        )
    decibels = psnr(copies, images)
    low, median, high = decibels.quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
    report = {
        "first_stage": arguments.first_stage,
        "scenes": arguments.scenes,
        "size": arguments.size,
        "vocabulary": arguments.vocabulary,
        "seed": arguments.seed,
        "psnr_db": {
            "mean": round(float(decibels.mean()), 2),
            "standard_error": round(float(decibels.std()) / len(decibels) ** 0.5, 2),
            "percentile_5": round(low, 2),
            "median": round(median, 2),
            "percentile_95": round(high, 2),
        },
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "reconstruction.json", report)
    pairs = zip(tensor_to_pil(images[: arguments.sheet]), tensor_to_pil(copies[: arguments.sheet]))
    shown = [picture for pair in pairs for picture in pair]
    zoom = 2 * images.shape[-1]
    draw_contact_sheet(shown, columns=8, tile=zoom).save(arguments.out / "reconstruction.png")
    print(json.dumps(report, indent=2))


def load_first_stage(name: str) -> FirstStage:
    if (Path(name) / COMPONENT_FILE).is_file():
        return load_component(Path(name), "first_stage", latelier.default_atelier()).module
    return latelier.load(name, device="cpu", dtype="float32").first_stage


if __name__ == "__main__":
    main()
