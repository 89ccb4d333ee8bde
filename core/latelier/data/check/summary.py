"""Numbers about the annotations and sizes of a data set."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from latelier.data.manifest.record import Header, Record

_SIDES = (64, 128, 256, 384, 512, 768, 1024, 2048)
"""Bounds of the bins of short sides, in pixels."""

_RATIOS = (("2:1 and wider", 1.75), ("3:2", 1.4), ("4:3", 1.15), ("1:1", 1 / 1.15),
           ("3:4", 1 / 1.4), ("2:3", 1 / 1.75))  # fmt: skip
"""Aspect ratios with the least width / height of each; what is below the last is taller."""

_TALLEST = "1:2 and taller"


def summarize_sizes(sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return the smallest and largest size, and the histograms of short sides and aspect ratios."""
    if not sizes:
        return {}
    by_area = sorted(sizes, key=lambda size: size[0] * size[1])
    sides = Counter(_side_bin(min(size)) for size in sizes)
    ratios = Counter(_ratio_bin(width / height) for width, height in sizes)
    order = [_side_bin(side) for side in (*(bound - 1 for bound in _SIDES), _SIDES[-1])]
    names = [*(name for name, _ in _RATIOS), _TALLEST]
    return {
        "smallest": list(by_area[0]),
        "largest": list(by_area[-1]),
        "short_side": {name: sides[name] for name in order if sides[name]},
        "aspect_ratio": {name: ratios[name] for name in names if ratios[name]},
    }


def summarize_captions(records: Iterable[Record]) -> dict[str, Any]:
    """Return how many pictures have captions, how many are empty, and how long they are."""
    counts = [[caption.text for caption in record.captions] for record in records]
    texts = [text for captions in counts for text in captions]
    words = sorted(len(text.split()) for text in texts)
    return {
        "pictures_with": sum(1 for captions in counts if captions),
        "pictures_without": sum(1 for captions in counts if not captions),
        "total": len(texts),
        "distinct": len(set(texts)),
        "empty": sum(1 for text in texts if not text.strip()),
        "words": {"least": words[0], "median": words[len(words) // 2], "most": words[-1]}
        if words
        else {},
    }


def summarize_classes(records: Iterable[Record], header: Header) -> dict[str, Any]:
    """Return the number of pictures of each class, by its number or name."""
    labels = [record.class_label for record in records]
    given = [label for label in labels if label is not None]
    return {
        "pictures_without": len(labels) - len(given),
        "greatest": max(given, default=None),
        "pictures": _by_name(given, header.class_names),
    }


def summarize_boxes(records: Iterable[Record], header: Header) -> dict[str, Any]:
    """Return the number of boxes of each label, and of boxes in a picture."""
    layouts = [record.boxes for record in records if record.boxes is not None]
    labels = [box.label for boxes in layouts for box in boxes]
    counts = [len(boxes) for boxes in layouts]
    return {
        "pictures_with": len(layouts),
        "boxes": len(labels),
        "most_in_a_picture": max(counts, default=0),
        "pictures_without_a_box": counts.count(0),
        "greatest_label": max(labels, default=None),
        "labels": _by_name(labels, header.box_names),
    }


def _by_name(labels: Iterable[int], names: Sequence[str]) -> dict[str, int]:
    counts = Counter(labels)
    return {
        names[label] if label < len(names) else str(label): counts[label]
        for label in sorted(counts)
    }


def _side_bin(side: int) -> str:
    upper = next((bound for bound in _SIDES if side < bound), None)
    if upper is None:
        return f"{_SIDES[-1]} and more"
    index = _SIDES.index(upper)
    return f"{_SIDES[index - 1] if index else 1} to {upper - 1}"


def _ratio_bin(ratio: float) -> str:
    return next((name for name, least in _RATIOS if ratio >= least), _TALLEST)
