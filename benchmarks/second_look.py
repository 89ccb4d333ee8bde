"""Measure how often the second look at objects errs, on rendered scenes of two or three objects.

Prints the share of the objects that are there which is found, and that of drawings which are not
there: random ones, and for each object the drawing that is most like it.

python benchmarks/second_look.py --scenes 150
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from latelier.data.emoji_scenes import Scene, SceneConfig, all_glyphs
from latelier.data.emoji_scenes.artwork import glyph_artwork
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.objects import SceneObject
from latelier.evaluation.detector.look_alikes import list_most_alike
from latelier.evaluation.scene_model.examples import JudgedPictures, judge
from latelier.evaluation.scene_model.second_look import locate_objects
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.metrics.scene_detector import SHIPPED_DETECTOR, load_detector

Replacement = Callable[[SceneObject], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=150)
    parser.add_argument("--seed", type=int, default=7_300_000)
    arguments = parser.parse_args()
    config = SceneConfig(size=128, vocabulary="all", objects=(2, 3))
    scenes = read_scenes(EmojiScenes(config, arguments.seed, arguments.scenes))
    pictures = judge(load_detector(SHIPPED_DETECTOR), to_images(scenes), scenes)
    rng = random.Random(arguments.seed)
    report("there", pictures)
    report("not there, random", ask_for(pictures, lambda _: rng.randrange(len(all_glyphs()))))
    alike = ask_for(pictures, lambda shown: list_most_alike(shown.glyph.index, 1)[0])
    report("not there, most alike", alike)


def ask_for(pictures: JudgedPictures, choose: Replacement) -> JudgedPictures:
    """Return pictures that are asked for other drawings, but for those that their scene has."""
    return replace(pictures, scenes=[swap(scene, choose) for scene in pictures.scenes])


def swap(scene: Scene, choose: Replacement) -> Scene:
    """Return a scene with others in place of its objects."""
    shown = {each.glyph.index for each in scene.objects}
    chosen = [(each, choose(each)) for each in scene.objects]
    others = tuple(
        replace(each, glyph=all_glyphs()[glyph], artwork=glyph_artwork(glyph))
        for each, glyph in chosen
        if glyph not in shown
    )
    return replace(scene, objects=others)


def report(name: str, pictures: JudgedPictures) -> None:
    boxes: Sequence[object] = [box for found in locate_objects(pictures) for box in found]
    found = sum(box is not None for box in boxes)
    print(f"{name}: {found} of {len(boxes)} found, {found / len(boxes):.1%}", flush=True)


if __name__ == "__main__":
    main()
