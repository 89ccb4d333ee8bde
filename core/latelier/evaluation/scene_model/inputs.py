"""What a model is given of scenes: the keywords of `Pipeline.generate`, a value for each scene.

The names of public inputs are those of the embedded model.
"""

from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.captions import background_phrase, noun_phrase
from latelier.evaluation.scene_model.examples import Inputs
from latelier.evaluation.scene_model.masks import hide_object, reduce, to_picture


def give_prompt(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the captions."""
    return {"prompt": [scene.caption for scene in scenes]}


def give_reference(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the drawings themselves; the prompts call them "#1", "#2" ..."""
    drawings = [
        {"pictures": [Image.fromarray(each.artwork.picture(), "RGBA") for each in scene.objects]}
        for scene in scenes
    ]
    return {**give_prompt(scenes), "reference": drawings}


def give_numbers(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the numbers of the drawings in the database; the prompts call them "#1", "#2" ..."""
    numbers = [{"pictures": [each.glyph.index for each in scene.objects]} for scene in scenes]
    return {**give_prompt(scenes), "reference": numbers}


def give_class(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the number of the drawing in the database of the atlas, and nothing else."""
    return {"reference": [{"pictures": [scene.objects[0].glyph.index]} for scene in scenes]}


def give_layout(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the boxes of all objects, with the names of their drawings."""
    layouts = [
        {"objects": [{"label": each.glyph.name, "box": each.box} for each in scene.objects]}
        for scene in scenes
    ]
    return {"layout": layouts}


def give_map(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the semantic maps."""
    return {"semantic_map": [Image.fromarray(scene.semantic_map) for scene in scenes]}


def name_hidden(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give captions of the main object alone and the background: what belongs into the hole."""
    captions = [
        f"{noun_phrase(scene.objects[0].glyph.name)} {background_phrase(scene.background)}"
        for scene in scenes
    ]
    return {"prompt": captions}


def give_hole(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the picture with its main object hidden."""
    return {
        "init_image": [to_picture(scene) for scene in scenes],
        "mask": [hide_object(scene) for scene in scenes],
    }


def give_small(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Give the pictures at a quarter of their sides."""
    return {"low_resolution": [reduce(scene) for scene in scenes]}


def join(*parts: Callable[[Sequence[Scene]], dict[str, Any]]) -> Inputs:
    """Return a function that gives several inputs at once."""
    return lambda scenes: {name: value for part in parts for name, value in part(scenes).items()}
