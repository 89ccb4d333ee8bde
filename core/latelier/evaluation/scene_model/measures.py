"""Measures of judged pictures, each a mapping from names to values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from latelier.contracts.images.pixels import denormalize, pil_to_tensor
from latelier.data.emoji_scenes import SEMANTIC_CLASSES, Scene
from latelier.evaluation.artwork.fit import FitRange, fit_artwork
from latelier.evaluation.artwork.template import ArtworkTemplate
from latelier.evaluation.detector.objects import boxes_iou
from latelier.evaluation.detector.outcomes import (
    RIGHT_BOX,
    Found,
    compare_background,
    is_first_choice,
    is_related,
    list_ious,
)
from latelier.evaluation.mean_iou import mean_iou
from latelier.evaluation.scene_model.examples import JudgedPictures
from latelier.evaluation.scene_model.masks import enlarge, hide_object
from latelier.evaluation.scene_model.second_look import locate_objects
from latelier.evaluation.scenes import to_images
from latelier.metrics.psnr import psnr

Measured = Mapping[str, float]
Measure = Callable[[JudgedPictures], Measured]

_MOST_DB = 60.0


def measure_fit(pictures: JudgedPictures) -> Measured:
    """Return the quartiles in dB of how exactly lone objects show their drawing ("fit")."""
    fits = [
        fit_artwork(image, ArtworkTemplate(scene.objects[0].artwork.picture()), FitRange()).psnr
        for image, scene in zip(pictures.images, pictures.scenes, strict=True)
    ]
    low, median, high = np.percentile(fits, [25, 50, 75])
    return {"fit": float(median), "fit_25": float(low), "fit_75": float(high)}


def measure_first_choice(pictures: JudgedPictures) -> Measured:
    """Return how often the largest object is the scene's lone one ("first_choice")."""
    hits = [
        is_first_choice(objects, scene)
        for objects, scene in zip(pictures.reading.objects, pictures.scenes, strict=True)
    ]
    return _shares(first_choice=hits)


def measure_presence(pictures: JudgedPictures) -> Measured:
    """Return how often all objects of a scene are there, and how often each relation is right.

    "all_present"; "relation": of the relations that the caption states, those of two objects that
    are there and are placed so.
    """
    matches = locate_objects(pictures)
    relations = [
        is_related(claim, found)
        for found, scene in zip(matches, pictures.scenes, strict=True)
        for claim in scene.claims.relations
    ]
    return _shares(all_present=[None not in found for found in matches], relation=relations)


def measure_background(pictures: JudgedPictures) -> Measured:
    """Return how often the background is as the caption says.

    "kind"; "place" of painted ones; "color": all named colours, in any order; "background": all.
    """
    outcomes: dict[str, list[bool]] = {"kind": [], "place": [], "color": [], "background": []}
    for k, scene in enumerate(pictures.scenes):
        if not scene.claims.background:
            continue
        right = compare_background(pictures.reading, k, scene)
        for name, is_right in right.items():
            outcomes[name].append(is_right)
        outcomes["background"].append(all(right.values()))
    return _shares(**outcomes)


def measure_layout(pictures: JudgedPictures) -> Measured:
    """Return how often an object is the right one at IoU 0.5 or more with its box ("layout")."""
    outcomes = [
        is_right
        for found, scene in zip(locate_objects(pictures), pictures.scenes, strict=True)
        for is_right in _boxes_right(found, scene)
    ]
    return _shares(layout=outcomes)


def measure_map(pictures: JudgedPictures) -> Measured:
    """Return the mean IoU of the semantic maps, 0..1 ("mean_iou")."""
    asked = torch.stack([torch.from_numpy(scene.semantic_map) for scene in pictures.scenes])
    return {"mean_iou": mean_iou(pictures.reading.semantic_map, asked, len(SEMANTIC_CLASSES))}


def measure_inpainting(pictures: JudgedPictures) -> Measured:
    """Return how often no known pixel changed ("exact") and the hidden object is found ("found").

    The main object is hidden; it is found if it is seen where its box is.
    """
    exact = [
        _is_known_exact(image, scene_image, hide_object(scene))
        for image, scene_image, scene in _with_originals(pictures)
    ]
    found = [
        boxes[0] is not None and boxes_iou(boxes[0], scene.objects[0].box) > 0
        for boxes, scene in zip(locate_objects(pictures), pictures.scenes, strict=True)
    ]
    return _shares(exact=exact, found=found)


def measure_super_resolution(pictures: JudgedPictures) -> Measured:
    """Return the mean PSNR over that of bicubic enlargement ("gain", dB), and "first_choice"."""
    originals = torch.stack([image for _, image, _ in _with_originals(pictures)])
    bicubic = torch.stack([pil_to_tensor(enlarge(scene)) for scene in pictures.scenes])
    made, start = (psnr(each, originals).clamp(max=_MOST_DB) for each in (pictures.images, bicubic))
    return {"gain": float((made - start).mean()), **measure_first_choice(pictures)}


def measure_together(pictures: JudgedPictures) -> Measured:
    """Return how often text, layout and mask are all followed ("together").

    Known pixels are exact, every object is the right one in its box, and the background is as the
    caption says.
    """
    outcomes = []
    matches = locate_objects(pictures)
    for k, (image, original, scene) in enumerate(_with_originals(pictures)):
        outcomes.append(
            _is_known_exact(image, original, hide_object(scene))
            and all(_boxes_right(matches[k], scene))
            and (
                not scene.claims.background
                or all(compare_background(pictures.reading, k, scene).values())
            )
        )
    return _shares(together=outcomes)


def _with_originals(pictures: JudgedPictures) -> Iterator[tuple[Tensor, Tensor, Scene]]:
    """Yield each picture with that of its scene, and the scene."""
    yield from zip(pictures.images, to_images(pictures.scenes), pictures.scenes, strict=True)


def _is_known_exact(image: Tensor, original: Tensor, mask: Image) -> bool:
    """Return whether pictures (3, H, W) agree in 8 bits where the mask is black."""
    known = torch.from_numpy(np.array(mask) == 0)
    return torch.equal(denormalize(image)[:, known], denormalize(original)[:, known])


def _boxes_right(found: Found, scene: Scene) -> list[bool]:
    return [iou >= RIGHT_BOX for iou in list_ious(found, [each.box for each in scene.objects])]


def _shares(**outcomes: Sequence[bool]) -> dict[str, float]:
    """Return the shares of true outcomes; names without outcomes are left out."""
    return {name: fmean(each) for name, each in outcomes.items() if each}
