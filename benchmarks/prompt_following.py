"""Measure how often pictures follow their prompts, by a classifier of rendered scenes.

Writes figures (prompt_following.json) and a contact sheet (prompt_following.png) to --out:

python benchmarks/prompt_following.py --model emoji-scenes --out runs/prompt_following
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import latelier
from latelier.cli.options.values import read_named_options
from latelier.data.contact_sheet import draw_contact_sheet
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.labelled_scenes import LabelledScenes, render
from latelier.evaluation.prompt_following import (
    Prompt,
    PromptResult,
    find_worst_glyphs,
    make_prompt,
    measure_following,
    pair_with_predictions,
    pictures_to_tensor,
)
from latelier.io.atomic import write_json
from latelier.metrics.scene_classifier import (
    CLASSIFIER_WEIGHTS,
    SceneClassifier,
    load_classifier,
)
from latelier.pipeline import Pipeline
from latelier.pipeline.picture import Picture

SETTINGS = ("steps", "sampler", "schedule", "guidance", "acceleration")
CLASSIFIER = Path(__file__).parent / "classifier"


def main() -> None:
    arguments = parse_arguments()
    pipe = latelier.load(arguments.model, device=arguments.device)
    classifier = load_classifier(arguments.classifier / CLASSIFIER_WEIGHTS)
    scenes = EmojiScenes(seed=arguments.seed, length=arguments.prompts)
    prompts = [make_prompt(scenes.scene(k)) for k in range(arguments.prompts)]
    start = time.monotonic()
    made = generate(pipe, prompts, arguments)
    seconds = time.monotonic() - start
    pictures = [picture.image for picture in made]
    results = pair_with_predictions(prompts, classifier.predict(pictures_to_tensor(pictures)))
    request = made[0].provenance["request"]
    rendered = render(scenes)
    report = {
        "model": arguments.model,
        "seed": arguments.seed,
        "settings": {name: request[name] for name in SETTINGS},
        "machine": made[0].provenance["machine"],
        "seconds_per_picture": round(seconds / len(prompts), 3),
        "generated": measure_shares(results),
        "classifier": json.loads((arguments.classifier / "classifier.json").read_text())[
            "held_out"
        ],
        "classifier_on_rendered": measure_shares(
            pair_with_predictions(prompts, classifier.predict(rendered.images()))
        ),
        "classifier_on_reconstructed": measure_shares(
            predict_reconstructions(pipe, classifier, prompts, rendered)
        ),
        "worst_glyphs": find_worst_glyphs(results),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "prompt_following.json", report)
    draw_sheet(pictures, results, arguments.sheet).save(arguments.out / "prompt_following.png")
    print(json.dumps(report, indent=2))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="emoji-scenes", help="embedded name or folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--classifier", type=Path, default=CLASSIFIER, help="folder of the classifier"
    )
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7_300_000, help="of the scenes and pictures")
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--steps", type=int, help="the model's default if not given")
    parser.add_argument("--guidance", type=float, help="the model's default if not given")
    parser.add_argument("--sampler", help="the model's default if not given")
    parser.add_argument("--acceleration", help="NAME[:KEY=VALUE,...]; none if not given")
    parser.add_argument("--sheet", type=int, default=64, help="pictures on the contact sheet")
    parser.add_argument("--out", type=Path, default=Path("runs/prompt_following"))
    return parser.parse_args()


def generate(pipe: Pipeline, prompts: list[Prompt], arguments: argparse.Namespace) -> list[Picture]:
    text = arguments.acceleration
    acceleration = text and read_named_options(text, "--acceleration")
    pictures: list[Picture] = []
    for first in range(0, len(prompts), arguments.batch):
        pictures += pipe.generate(
            prompt=[prompt.text for prompt in prompts[first : first + arguments.batch]],
            seed=arguments.seed + first,
            steps=arguments.steps,
            guidance=arguments.guidance,
            sampler=arguments.sampler,
            acceleration=acceleration,
        )
    return pictures


@torch.inference_mode()
def predict_reconstructions(
    pipe: Pipeline, classifier: SceneClassifier, prompts: list[Prompt], rendered: LabelledScenes
) -> list[PromptResult]:
    def reconstruct(images: Tensor) -> Tensor:
        images = images.to(pipe.device, pipe.dtype)
        return pipe.first_stage.decode(pipe.first_stage.encode(images)).clamp(-1, 1).float().cpu()

    images = torch.cat([reconstruct(part) for part in torch.split(rendered.images(), 50)])
    return pair_with_predictions(prompts, classifier.predict(images))


def measure_shares(results: list[PromptResult]) -> dict[str, Any]:
    return {name: share.to_json() for name, share in measure_following(results).items()}


def draw_sheet(pictures: list[Image.Image], results: list[PromptResult], count: int) -> Image.Image:
    captions = [
        f"{each.prompt.text} [{'yes' if each.is_correct else 'no'}: {each.ranked[0]}, {each.color}]"
        for each in results[:count]
    ]
    return draw_contact_sheet(pictures[:count], captions)


if __name__ == "__main__":
    main()
