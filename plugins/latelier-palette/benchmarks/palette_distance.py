"""Do pictures have the colours that were asked for, and still show what was asked for?

Generates pictures of held-out prompts with and without the adapter, from the same seeds and with
the model's own settings, and measures both. Writes palette_distance.json and contact sheets to
--out:

python benchmarks/palette_distance.py --out runs/palette

What is asked, fixed before anything was trained:

own: captions that do not name the background ("a cat"), each with the palette of the very scene
    that it describes, as `dominant_colors` finds it: the figure that counts.
own_colors: the same, but the colours alone, without their shares.
other: the same captions, each with the palette of the next scene, whose object is another: colours
    chosen with no thought of the object.
invented: the same captions, each with three colours drawn evenly from all of sRGB, for 0.6, 0.3 and
    0.1 of the picture. The model was trained on backgrounds of 16 colours and six places.
named: captions that name their background, with the palette of their scene: whether words are
    still followed.

distance: `palette_distance` of the picture's dominant colours to the palette: the mean CIEDE2000 of
    the cheapest way to make the one of the other, shares included.
nearest: the mean over the picture's dominant colours, by share, of CIEDE2000 to the nearest asked.
first_choice: share of pictures whose largest object is the prompted one, by the scene detector of
    latelier, which was trained on rendered scenes only.
kind, place, color, background: shares of backgrounds that are as the prompt says, if it says one.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import latelier
import numpy as np
from latelier import Pipeline
from latelier.data.contact_sheet import draw_contact_sheet
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import Scene, SceneConfig
from latelier.evaluation.scene_model.examples import judge
from latelier.evaluation.scene_model.measures import measure_background, measure_first_choice
from latelier.evaluation.scenes import stack_pictures
from latelier.io.atomic import write_json
from latelier.metrics.scene_detector import SceneDetector, load_detector
from PIL import Image

from latelier_palette.dominant_colors import dominant_colors
from latelier_palette.palette_distance import nearest_distance, palette_distance

Colors = Mapping[str, float]
Pictures = Sequence[Image.Image]
BATCH = 25
SETS = ["own", "own_colors", "other", "invented", "named"]


@dataclass(frozen=True)
class Asked:
    """Scenes, whose captions are the prompts, and a palette for each."""

    name: str
    scenes: Sequence[Scene]
    palettes: Sequence[Colors]
    shares: bool = True

    @property
    def prompts(self) -> tuple[str, ...]:
        """The captions."""
        return tuple(scene.caption for scene in self.scenes)

    def value(self, k: int) -> dict[str, Any]:
        """Return the palette of prompt k as an input."""
        palette = self.palettes[k]
        return {"colors": list(palette), "shares": list(palette.values()) if self.shares else None}


def main() -> None:
    arguments = parse()
    pipe = latelier.load("emoji-scenes", device="cpu", dtype="float32")
    detector = load_detector()
    arguments.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {
        "adapter": arguments.adapter,
        "prompts": arguments.prompts,
        "seed": arguments.seed,
        "defaults": pipe.defaults.model_dump(mode="json"),
        "without": {},
        "scales": {},
    }
    sets = [each for each in asked(arguments) if each.name in arguments.sets]
    without: dict[tuple[str, ...], list[Image.Image]] = {}
    for each in sets:
        if each.prompts not in without:
            without[each.prompts] = generate(pipe, each, arguments.seed, told=False)
        report["without"][each.name] = measured(without[each.prompts], each, detector)
    for scale in arguments.scales:
        view = pipe.with_adapter(arguments.adapter, scale=scale)
        for each in sets:
            made = generate(view, each, arguments.seed, told=True)
            found = measured(made, each, detector)
            report["scales"].setdefault(f"{scale:g}", {})[each.name] = found
            print(json.dumps({"scale": scale, "set": each.name, **found}), flush=True)
            path = arguments.out / f"{each.name}-{scale:g}.png"
            sheet(without[each.prompts], made, each).save(path)
    write_json(arguments.out / "palette_distance.json", report)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", default="palette", help="a registered name or a folder")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7_500_000, help="of the scenes and pictures")
    parser.add_argument("--out", type=Path, default=Path("runs/palette"))
    return parser.parse_args()


def asked(arguments: argparse.Namespace) -> Iterator[Asked]:
    silent = scenes(arguments, 0.0)
    own = [dominant_colors(Image.fromarray(scene.image)) for scene in silent]
    yield Asked("own", silent, own)
    yield Asked("own_colors", silent, own, shares=False)
    yield Asked("other", silent, own[1:] + own[:1])
    rng = np.random.default_rng(arguments.seed)
    drawn = [{_drawn(rng): share for share in (0.6, 0.3, 0.1)} for _ in silent]
    yield Asked("invented", silent, drawn)
    named = scenes(arguments, 1.0)
    yield Asked("named", named, [dominant_colors(Image.fromarray(each.image)) for each in named])


def _drawn(rng: np.random.Generator) -> str:
    return f"#{rng.integers(1 << 24):06x}"


def scenes(arguments: argparse.Namespace, captioned_background: float) -> list[Scene]:
    config = SceneConfig(captioned_background=captioned_background)
    found = EmojiScenes(config, arguments.seed, arguments.prompts)
    return [found.scene(k) for k in range(arguments.prompts)]


def generate(pipe: Pipeline, asked: Asked, seed: int, *, told: bool) -> list[Image.Image]:
    pictures: list[Image.Image] = []
    for first in range(0, len(asked.scenes), BATCH):
        rows = range(first, min(first + BATCH, len(asked.scenes)))
        palettes = {"palette": [asked.value(k) for k in rows]} if told else {}
        prompts = list(asked.prompts[rows.start : rows.stop])
        made = pipe.generate(prompt=prompts, seed=seed + first, **palettes)
        pictures += [each.image for each in made]
    return pictures


def measured(pictures: Pictures, asked: Asked, detector: SceneDetector) -> dict[str, Any]:
    found = [dominant_colors(picture) for picture in pictures]
    judged = judge(detector, stack_pictures(pictures), asked.scenes)
    followed = {**measure_first_choice(judged), **measure_background(judged)}
    return {
        **_mean("distance", map(palette_distance, found, asked.palettes)),
        **_mean("nearest", map(nearest_distance, found, asked.palettes)),
        **{name: round(share, 4) for name, share in followed.items()},
    }


def _mean(name: str, distances: Iterator[float]) -> dict[str, float]:
    values = np.array(list(distances))
    error = values.std(ddof=1) / len(values) ** 0.5
    return {name: round(float(values.mean()), 2), f"{name}_standard_error": round(float(error), 2)}


def sheet(without: Pictures, made: Pictures, asked: Asked, count: int = 24) -> Image.Image:
    """Return for each prompt the palette, the picture without it and the picture with it."""
    tiles: list[Image.Image] = []
    captions: list[str] = []
    for k in range(min(count, len(made))):
        tiles += [swatches(asked.palettes[k]), without[k], made[k]]
        captions += [asked.scenes[k].caption, "without", "with"]
    return draw_contact_sheet(tiles, captions, columns=12, tile=64)


def swatches(palette: Colors, side: int = 64) -> Image.Image:
    """Return a palette as bars, each as high as its share."""
    heights = np.array(list(palette.values())) / sum(palette.values())
    ends = (heights.cumsum() * side).round().astype(int)
    shown = Image.new("RGB", (side, side))
    for color, first, end in zip(palette, [0, *ends[:-1]], ends, strict=True):
        shown.paste(color, (0, int(first), side, int(end)))
    return shown


if __name__ == "__main__":
    main()
