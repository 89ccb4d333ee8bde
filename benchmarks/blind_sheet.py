"""Draw two sheets without labels: 64 pictures of a model, unselected, and 64 rendered scenes.

Which sheet is which is written to a third file, so that whoever judges them cannot know. Captions
of the pictures are those of other scenes than the rendered ones:

python benchmarks/blind_sheet.py --model emoji-scenes --seed 1 --out runs/blind
"""

import argparse
import random
from pathlib import Path

from PIL import Image

import latelier
from latelier.data.contact_sheet import draw_contact_sheet
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.io.atomic import write_json
from latelier.pipeline import Pipeline

COUNT = 64
COLUMNS = 8
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="emoji-scenes", help="embedded name or folder")
    parser.add_argument("--vocabulary", choices=("basic", "all"), default="all")
    parser.add_argument("--objects", type=int, nargs=2, default=(1, 3), help="least and most")
    parser.add_argument("--seed", type=int, required=True, help="of the pictures, the only choice")
    parser.add_argument("--zoom", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/blind"))
    arguments = parser.parse_args()
    pipeline = latelier.load(arguments.model)
    size = pipeline.defaults.size[0]
    config = SceneConfig(
        size=size, vocabulary=arguments.vocabulary, objects=tuple(arguments.objects)
    )
    scenes = EmojiScenes(config, seed=arguments.seed, length=2 * COUNT)
    generated = generate(pipeline, scenes, arguments.seed)
    rendered = [Image.fromarray(scenes.scene(k).image) for k in range(COUNT, 2 * COUNT)]
    sheets = [("generated", generated), ("rendered", rendered)]
    random.SystemRandom().shuffle(sheets)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for letter, (_, pictures) in zip("AB", sheets, strict=True):
        sheet = draw_contact_sheet(pictures, columns=COLUMNS, tile=arguments.zoom * size)
        sheet.save(arguments.out / f"sheet-{letter}.png")
    key = {letter: name for letter, (name, _) in zip("AB", sheets, strict=True)}
    write_json(arguments.out / "key.json", {"model": arguments.model, **key})


def generate(pipeline: Pipeline, scenes: EmojiScenes, seed: int) -> list[Image.Image]:
    """Return a picture of each of the first captions, none of them left out."""
    pictures: list[Image.Image] = []
    for first in range(0, COUNT, BATCH):
        captions = [scenes.scene(k).caption for k in range(first, first + BATCH)]
        made = pipeline.generate(prompt=captions, seed=seed + first)
        pictures += [picture.image for picture in made]
    return pictures


if __name__ == "__main__":
    main()
