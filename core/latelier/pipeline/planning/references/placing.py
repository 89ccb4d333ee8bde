"""The places of references, for models that are shown each picture where it is to be drawn.

A request names places by boxes or a layout. Where it does not, the words of its prompt and the seed
of each picture decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from latelier.contracts.images.cutout import Cutout, Pose
from latelier.pipeline.conditioning.rows import Rows
from latelier.pipeline.editing.init_image import InitImage
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.references.arrangement.boxes import arrange
from latelier.pipeline.planning.references.arrangement.poses import choose_turns
from latelier.pipeline.planning.references.arrangement.regions import Region, mark_region
from latelier.pipeline.planning.references.arrangement.wishes import read_wishes
from latelier.pipeline.planning.references.drawn import Lookup, add_poses
from latelier.pipeline.planning.references.lookup import find_pictures


def place_references(
    parts: PipelineParts,
    lookup: Lookup,
    seeds: Sequence[int],
    size: tuple[int, int],
    init: InitImage | None,
) -> Lookup:
    """Return a look-up in which each reference has a box.

    The input of references then has a value for each picture, and not only for each row. Where an
    image already shows the arrangement, references without boxes are left out, with a warning.

    Args:
        parts: the pipeline's.
        lookup: of the inputs.
        seeds: of the pictures, equally many for each row.
        size: (width, height) of the pictures.
        init: the initial images, of `size`. Objects of a masked one are placed in its white part.
    """
    name = find_pictures(parts)
    if name is None or parts.conditioners[name].config.reference_role != "placed_pictures":
        return lookup
    rows: Sequence[Any] = lookup.rows.get(name, [])
    if all(map(_is_placed, rows)):
        return lookup
    shown = _find_arrangement(parts, lookup.rows, init)
    if shown is not None:
        kept = [each if _is_placed(each) else None for each in rows]
        warning = (
            f"{lookup.public}: {shown} decides where objects are, and the references have no "
            "boxes, so they are left out; give a box for each"
        )
        warnings = (*lookup.warnings, warning)
        return replace(lookup, rows={**lookup.rows, name: kept}, warnings=warnings)
    repeats = len(seeds) // len(rows)
    texts = [_text_of(parts, lookup.rows, k) for k in range(len(rows))]
    cutouts = [_cut_out(each) for each in rows]
    placed = [
        _place(rows[k // repeats], cutouts[k // repeats], texts[k // repeats], size, seed, region)
        for (k, seed), region in zip(enumerate(seeds), _list_regions(init, len(seeds)), strict=True)
    ]
    drawn = tuple(add_poses(lookup.drawn[k // repeats], each) for k, each in enumerate(placed))
    return replace(lookup, rows={**lookup.rows, name: placed}, placed=drawn)


def _is_placed(value: Any) -> bool:
    """Return whether an input of references has nothing that lacks a box."""
    return value is None or value.boxes is not None


def _cut_out(value: Any) -> list[Cutout]:
    """Return the pictures that lack a box as cutouts."""
    return [] if _is_placed(value) else [Cutout(each.convert("RGBa")) for each in value.pictures]


def _place(
    value: Any,
    cutouts: Sequence[Cutout],
    text: str,
    size: tuple[int, int],
    seed: int,
    region: Region,
) -> Any:
    """Return an input of references with boxes, and turned and mirrored as the text says."""
    if _is_placed(value):
        return value
    wishes, rng, count = read_wishes(text), np.random.default_rng(seed), len(cutouts)
    turns = value.turns or choose_turns(count, wishes, rng)
    mirrored = value.mirrored or tuple(k in wishes.mirrored for k in range(count))
    posed = list(zip(cutouts, map(Pose, turns, mirrored), strict=True))
    boxes = arrange([_aspect(*each) for each in posed], wishes, size, rng, region.box)
    if count == 1:  # several would lose the relations that the text asks for
        boxes = (region.shrink(boxes[0], *posed[0]),)
    return value.model_copy(update={"boxes": boxes, "turns": turns, "mirrored": mirrored})


def _find_arrangement(parts: PipelineParts, rows: Rows, init: InitImage | None) -> str | None:
    """Return what shows the arrangement already: an initial image, or a spatial input; or None."""
    if init is not None and init.mask is None and init.strength < 1:
        return "`init_image`"
    for public, names in parts.inputs.items():
        for name in names:
            config = parts.conditioners[name].config
            is_shown = config.reference_role in (None, "map")
            if config.outputs().spatial and is_shown and name in rows:
                return f"input '{public}'"
    return None


def _text_of(parts: PipelineParts, rows: Mapping[str, Sequence[Any]], row: int) -> str:
    """Return the text of a row, with slots; "" without one."""
    for name, values in rows.items():
        if parts.conditioners[name].config.reference_role == "text" and values[row] is not None:
            return str(values[row].text)
    return ""


def _list_regions(init: InitImage | None, count: int) -> list[Region]:
    """Return the part of each picture in which objects are placed."""
    if init is None or init.mask is None:
        return [Region()] * count
    regions = [mark_region(mask) for mask in init.mask]
    return [regions[k * len(regions) // count] for k in range(count)]


def _aspect(cutout: Cutout, pose: Pose) -> float:
    """Return width / height of what a picture shows as it is posed."""
    left, top, right, bottom = cutout.extent(pose)
    return (right - left) / (bottom - top)
