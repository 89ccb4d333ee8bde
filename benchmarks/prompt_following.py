"""Does the picture follow the prompt? A judge that never saw a generated picture says how often.

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
from latelier.data.contact_sheet import contact_sheet
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.model import JUDGE_WEIGHTS, Judge, load_judge
from latelier.evaluation.labelled_scenes import LabelledScenes, render
from latelier.evaluation.prompt_following import (
    Judgement,
    Prompt,
    as_images,
    following,
    judgements,
    prompt_of,
    worst,
)
from latelier.io.atomic import write_json
from latelier.pipeline import Pipeline
from latelier.pipeline.picture import Picture

JUDGE = Path(__file__).parent / "judge"


def main() -> None:
    arguments = parse()
    pipe = latelier.load(arguments.model, device=arguments.device)
    judge = load_judge(arguments.judge / JUDGE_WEIGHTS)
    scenes = EmojiScenes(seed=arguments.seed, length=arguments.prompts)
    prompts = [prompt_of(scenes.scene(k)) for k in range(arguments.prompts)]
    began = time.monotonic()
    made = generate(pipe, prompts, arguments)
    seconds = time.monotonic() - began
    pictures = [picture.image for picture in made]
    judged = judgements(prompts, judge.judge(as_images(pictures)))
    request = made[0].provenance["request"]
    rendered = render(scenes)
    report = {
        "model": arguments.model,
        "seed": arguments.seed,
        "settings": {name: request[name] for name in ("steps", "sampler", "schedule", "guidance")},
        "machine": made[0].provenance["machine"],
        "seconds_per_picture": round(seconds / len(prompts), 3),
        "generated": shares(judged),
        "judge": json.loads((arguments.judge / "judge.json").read_text())["held_out"],
        "judge_on_rendered": shares(judgements(prompts, judge.judge(rendered.images()))),
        "judge_on_reconstructed": shares(on_reconstructions(pipe, judge, prompts, rendered)),
        "worst_glyphs": worst(judged),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "prompt_following.json", report)
    sheet(pictures, judged, arguments.sheet).save(arguments.out / "prompt_following.png")
    print(json.dumps(report, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="emoji-scenes", help="embedded name or folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--judge", type=Path, default=JUDGE, help="folder of the judge")
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7_300_000, help="of the scenes and pictures")
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--steps", type=int, help="the model's default if not given")
    parser.add_argument("--guidance", type=float, help="the model's default if not given")
    parser.add_argument("--sampler", help="the model's default if not given")
    parser.add_argument("--sheet", type=int, default=64, help="pictures on the contact sheet")
    parser.add_argument("--out", type=Path, default=Path("runs/prompt_following"))
    return parser.parse_args()


def generate(pipe: Pipeline, prompts: list[Prompt], arguments: argparse.Namespace) -> list[Picture]:
    pictures: list[Picture] = []
    for first in range(0, len(prompts), arguments.batch):
        pictures += pipe.generate(
            prompt=[prompt.text for prompt in prompts[first : first + arguments.batch]],
            seed=arguments.seed + first,
            steps=arguments.steps,
            guidance=arguments.guidance,
            sampler=arguments.sampler,
        )
    return pictures


@torch.inference_mode()
def on_reconstructions(
    pipe: Pipeline, judge: Judge, prompts: list[Prompt], rendered: LabelledScenes
) -> list[Judgement]:
    def again(images: Tensor) -> Tensor:
        images = images.to(pipe.device, pipe.dtype)
        return pipe.first_stage.decode(pipe.first_stage.encode(images)).clamp(-1, 1).float().cpu()

    images = torch.cat([again(part) for part in torch.split(rendered.images(), 50)])
    return judgements(prompts, judge.judge(images))


def shares(judged: list[Judgement]) -> dict[str, Any]:
    return {name: share.as_json() for name, share in following(judged).items()}


def sheet(pictures: list[Image.Image], judged: list[Judgement], count: int) -> Image.Image:
    captions = [
        f"{each.prompt.text} [{'yes' if each.right else 'no'}: {each.ranked[0]}, {each.color}]"
        for each in judged[:count]
    ]
    return contact_sheet(pictures[:count], captions)


if __name__ == "__main__":
    main()
