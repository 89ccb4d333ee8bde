"""Draws the pictures of the README: the same prompts and seeds, without and with palettes.

python benchmarks/readme_pictures.py --out palettes.png
"""

import argparse
from pathlib import Path

import latelier
from latelier.data.contact_sheet import draw_contact_sheet
from palette_distance import swatches
from PIL import Image

PROMPTS = ("a cat", "a red apple", "a rocket", "a tree", "a snowman", "an hourglass")
PALETTES = (
    {"#1d3557": 0.7, "#e63946": 0.2},
    {"#2a9d8f": 0.5, "#e9c46a": 0.4},
    {"#f5a3c7": 0.6, "#ffffff": 0.3},
    {"#fc9c54": 0.4, "#703a80": 0.3, "#d88e48": 0.3},
    {"#18181c": 0.7, "#fadc3c": 0.2},
)
SEED = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("palettes.png"))
    parser.add_argument("--adapter", default="palette", help="a registered name or a folder")
    arguments = parser.parse_args()
    pipe = latelier.load("emoji-scenes", device="cpu", dtype="float32")
    view = pipe.with_adapter(arguments.adapter)
    prompts = list(PROMPTS)
    columns = [[made.image for made in pipe.generate(prompt=prompts, seed=SEED)]]
    for palette in PALETTES:
        value = {"colors": list(palette), "shares": list(palette.values())}
        made = view.generate(prompt=prompts, palette=[value] * len(prompts), seed=SEED)
        columns.append([each.image for each in made])
    header = [Image.new("RGB", (64, 64), "white"), *map(swatches, PALETTES)]
    rows = [header, *(list(row) for row in zip(*columns, strict=True))]
    sheet = draw_contact_sheet([tile for row in rows for tile in row], columns=len(header), tile=64)
    sheet.save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
