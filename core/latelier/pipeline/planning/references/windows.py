"""References in the windows of a picture, each of which is told of the objects in it alone."""

import re
from collections.abc import Collection
from typing import Any

from latelier.contracts.inputs import Box
from latelier.databases.words import ARTICLES
from latelier.pipeline.conditioning.rows import Rows
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.references.arrangement.wishes import SIZES
from latelier.pipeline.planning.references.lookup import find_pictures
from latelier.pipeline.planning.references.slots import SLOT, list_slots
from latelier.pipeline.tiling.windows import Box as WindowBox

_ABOUT_THE_NEXT = re.compile(
    rf"(?:\b(?:{'|'.join((*sorted(ARTICLES), *SIZES, 'mirrored', 'flipped'))})\s+)*$",
    re.IGNORECASE,
)
"""Words before a slot that are about it."""

_JOINING = re.compile(r"(?:[\s,]*\b(?:and|of|with))?[\s,]*$", re.IGNORECASE)
"""What joins the last slot to the words before it."""


def restrict_to_window(parts: PipelineParts, rows: Rows, window: WindowBox) -> Rows:
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


def _restrict(value: Any, references: Any, window: WindowBox) -> Any:
    """Return the input of a text for a window; None if nothing of it is left."""
    boxes = getattr(references, "boxes", None)
    if value is None or boxes is None:
        return value
    absent = {number for number, box in enumerate(boxes) if not _overlaps(box, window)}
    text = leave_out(value.text, absent)
    return value.model_copy(update={"text": text}) if text else None


def leave_out(text: str, absent: Collection[int]) -> str:
    """Return a text without some of its slots; a list of the others stands where all of them stood.

    So "a small #1 to the left of #2 in a meadow" becomes "#2 in a meadow", or "in a meadow".
    """
    slots = list(SLOT.finditer(text))
    numbers = list(dict.fromkeys(int(slot[1]) - 1 for slot in slots))
    shown = [number for number in numbers if number not in absent]
    if len(shown) == len(numbers):
        return text
    before, after = text[: slots[0].start()], text[slots[-1].end() :]
    before = _ABOUT_THE_NEXT.sub("", before)
    if shown:
        return f"{before}{list_slots(shown)}{after}"
    return f"{_JOINING.sub('', before)} {after.lstrip(' ,')}".strip()


def _overlaps(box: Box, window: WindowBox) -> bool:
    x0, y0, x1, y1 = window
    return box.x0 < x1 and x0 < box.x1 and box.y0 < y1 and y0 < box.y1
