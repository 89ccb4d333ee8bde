"""References in the windows of a picture, each of which is told of the objects in it alone."""

from collections.abc import Collection
from typing import Any

from latelier.pipeline.conditioning.rows import Rows
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.references.arrangement.surroundings import read_surroundings
from latelier.pipeline.planning.references.lookup import find_pictures
from latelier.pipeline.planning.references.slots import list_slots, slots_in
from latelier.pipeline.tiling.windows import Box


def restrict_to_window(parts: PipelineParts, rows: Rows, window: Box) -> Rows:
    """Return rows whose texts have no slot of an object that lies outside a window.

    Args:
        parts: the pipeline's.
        rows: of pictures; those of references have boxes, or the rows stay as they are.
        window: x0, y0, x1, y1 in 0..1 of the whole picture.
    """
    name = find_pictures(parts)
    references = None if name is None else rows.get(name)
    if references is None:
        return rows
    restricted = dict(rows)
    for text, conditioner in parts.conditioners.items():
        if conditioner.config.reference_role == "text" and text in rows:
            restricted[text] = [
                _restrict(value, shown, window)
                for value, shown in zip(rows[text], references, strict=True)
            ]
    return restricted


def _restrict(value: Any, references: Any, window: Box) -> Any:
    """Return the input of a text for a window; None if nothing of it is left."""
    boxes = getattr(references, "boxes", None)
    if value is None or boxes is None:
        return value
    absent = {number for number, box in enumerate(boxes) if not box.overlaps(window)}
    text = leave_out(value.text, absent)
    return value.model_copy(update={"text": text}) if text else None


def leave_out(text: str, absent: Collection[int]) -> str:
    """Return a text without some of its slots, and without what it says about any of them.

    So "a small #1 to the left of #2 in a meadow" becomes "#2 in a meadow", or "in a meadow".
    """
    numbers = list(dict.fromkeys(slots_in(text)))
    shown = [number for number in numbers if number not in absent]
    if len(shown) == len(numbers):
        return text
    before, after = read_surroundings(text)
    listed = list_slots(shown) if shown else ""
    start = ", ".join(filter(None, (before, listed)))
    return f"{start}{'' if after.startswith(',') else ' '}{after}".strip(" ,")
