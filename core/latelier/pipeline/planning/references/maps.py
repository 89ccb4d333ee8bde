"""References in the areas of a semantic map whose labels are groups of the database.

Each reference gets an area, of its own group if there is one. An area without a reference gets the
picture of its group whose outline resembles it most.
"""

from collections.abc import Sequence
from typing import Any

from latelier.contracts.databases import Database
from latelier.contracts.images.cutout import Pose
from latelier.pipeline.planning.references.areas import Area, list_areas
from latelier.pipeline.planning.references.shapes import find_entry, find_likeness
from latelier.pipeline.planning.references.slots import Slots, Source


def find_areas(labels: Any, names: Sequence[str], database: Database) -> list[Area]:
    """Return the areas of a map of objects, the largest first.

    Args:
        labels: (H, W), positions in `names`.
        names: of the labels.
        database: whose groups are objects.
    """
    groups = {entry.group for entry in database.entries}
    return list_areas(labels, {label: name for label, name in enumerate(names) if name in groups})


def fill_areas(
    areas: Sequence[Area], slots: Slots, database: Database, most: int
) -> dict[str, Any]:
    """Return the boxes, turns and mirroring of references in areas, and add those of free areas.

    Args:
        areas: the largest first, at least as many as slots.
        slots: of the references.
        database: has the pictures.
        most: references that there may be.
    """
    free, poses = list(areas), list[tuple[Area, Pose]]()
    for shown in slots:
        area = _choose(free, shown, database)
        free.remove(area)
        picture = database.picture(shown) if isinstance(shown, int) else shown
        poses.append((area, find_likeness(area, picture).pose))
    for area in free[: most - len(slots)]:
        entries = [k for k, entry in enumerate(database.entries) if entry.group == area.group]
        entry, likeness = find_entry(area, database, entries)
        slots.append(entry)
        poses.append((area, likeness.pose))
    return {
        "boxes": [area.box for area, _ in poses],
        "turns": [pose.turn for _, pose in poses],
        "mirrored": [pose.mirrored for _, pose in poses],
    }


def _choose(areas: Sequence[Area], shown: Source, database: Database) -> Area:
    """Return the largest area of the group of a reference, or else the largest of all."""
    group = database.entries[shown].group if isinstance(shown, int) else None
    return next((area for area in areas if area.group == group), areas[0])
