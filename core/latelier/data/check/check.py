"""The check of a data set."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from latelier.data.check.duplicates import find_duplicates, find_near_duplicates
from latelier.data.check.facts import PictureFacts, examine_picture
from latelier.data.check.summary import (
    summarize_boxes,
    summarize_captions,
    summarize_classes,
    summarize_sizes,
)
from latelier.data.manifest.manifest import Manifest, Skipped
from latelier.data.manifest.record import Record
from latelier.data.pictures import UnusableError

Severity = Literal["problem", "note"]

_TRAITS = {
    "turned by EXIF": "turned by their EXIF orientation; training turns them upright",
    "animated": "animated; training uses the first picture of each",
    "16 bits": "of 16 bits; training scales them to 8",
    "CMYK": "in CMYK; training converts them to RGB",
    "transparent": "with transparency; training composites them over white",
}

MAX_SHOWN = 64
"""Pictures with a thumbnail, spread evenly over the data set."""

_SMALL = 64
"""Short side below which a picture is called small."""

_LEAST_AREA = 1e-4
"""Share of a picture below which a box is called tiny."""


@dataclass(frozen=True)
class Finding:
    """Something that a person should know.

    Attributes:
        severity: "problem": it should be fixed; "note": training deals with it.
        text: One sentence.
        samples: Names of the pictures that it is about.
    """

    severity: Severity
    text: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes:
        manifest: What was checked.
        facts: About the pictures that can be used.
        numbers: Sizes, captions, classes and boxes, as JSON values.
        findings: Problems first.
    """

    manifest: Manifest
    facts: Sequence[PictureFacts]
    numbers: dict[str, Any]
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def has_problems(self) -> bool:
        """Whether something should be fixed."""
        return any(finding.severity == "problem" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "source": self.manifest.origin,
            "root": str(self.manifest.root),
            "pictures": len(self.manifest),
            "usable": len(self.facts),
            **self.numbers,
            "findings": [
                {
                    "severity": each.severity,
                    "text": each.text,
                    "count": len(each.samples),
                    "samples": list(each.samples),
                }
                for each in self.findings
            ],
        }


def check_data(manifest: Manifest, records: Iterable[Record]) -> CheckResult:
    """Decode every picture of a manifest, and return what is in it and what is wrong with it.

    Args:
        manifest: to check.
        records: its records, perhaps through a progress bar.
    """
    facts, unusable = [], list(manifest.skipped)
    interval = max(len(manifest) / MAX_SHOWN, 1)
    for number, record in enumerate(records):
        try:
            fact = examine_picture(manifest.root, record)
        except UnusableError as error:
            unusable.append(Skipped(record.name, str(error)))
            continue
        is_shown = int(number / interval) != int((number - 1) / interval) or number == 0
        facts.append(fact if is_shown else replace(fact, thumbnail=None))
    numbers = {
        "sizes": summarize_sizes([each.size for each in facts]),
        "captions": summarize_captions(manifest),
        "classes": summarize_classes(manifest, manifest.header),
        "boxes": summarize_boxes(manifest, manifest.header),
        "maps": _summarize_maps(facts),
    }
    findings = [
        *_unusable(unusable),
        *_check_captions(manifest),
        *_check_labels(manifest, facts),
        *_check_duplicates(facts),
        *_check_traits(facts),
    ]
    findings.sort(key=lambda finding: finding.severity != "problem")
    return CheckResult(manifest, facts, numbers, findings)


def _summarize_maps(facts: Iterable[PictureFacts]) -> dict[str, Any]:
    ranges = [each.map_labels for each in facts if each.map_labels is not None]
    if not ranges:
        return {}
    return {
        "pictures_with": len(ranges),
        "least_label": min(low for low, _ in ranges),
        "greatest_label": max(high for _, high in ranges),
    }


def _unusable(skipped: Iterable[Skipped]) -> Iterator[Finding]:
    by_reason: dict[str, list[str]] = {}
    for each in skipped:
        reason = re.sub(r" \(.*?\)", "", each.reason)  # such as "(38 bytes not processed)"
        by_reason.setdefault(reason, []).append(each.name)
    for reason, names in by_reason.items():
        yield Finding("problem", f"cannot be used: {reason}", tuple(names))


def _check_captions(records: Manifest) -> Iterator[Finding]:
    without = tuple(record.name for record in records if not record.captions)
    if without and len(without) < len(records):
        yield Finding("problem", "without a caption, although others have one", without)
    empty = tuple(
        record.name
        for record in records
        if any(not caption.text.strip() for caption in record.captions)
    )
    if empty:
        yield Finding("problem", "with an empty caption", empty)


def _check_labels(records: Manifest, facts: Sequence[PictureFacts]) -> Iterator[Finding]:
    header = records.header
    unlabelled = tuple(record.name for record in records if record.class_label is None)
    if unlabelled and len(unlabelled) < len(records):
        yield Finding("problem", "without a class, although others have one", unlabelled)
    yield from _check_range(
        "a class", header.class_names, [(each.name, [each.class_label]) for each in records]
    )
    yield from _check_range(
        "a box with a label",
        header.box_names,
        [(each.name, [box.label for box in each.boxes or ()]) for each in records],
    )
    yield from _check_range(
        "a label of its map",
        header.map_names,
        [(each.name, each.map_labels or ()) for each in facts],
    )
    tiny = tuple(
        record.name
        for record in records
        if any(_area(box.box) < _LEAST_AREA for box in record.boxes or ())
    )
    if tiny:
        yield Finding("problem", "with a box of less than 1/10,000 of the picture", tiny)


def _check_range(
    what: str, names: Sequence[str], labels: Iterable[tuple[str, Iterable[int | None]]]
) -> Iterator[Finding]:
    """Find labels above those that have names, if there are names."""
    if not names:
        return
    outside = tuple(
        name
        for name, given in labels
        if any(label is not None and label >= len(names) for label in given)
    )
    if outside:
        yield Finding("problem", f"with {what} outside of 0..{len(names) - 1}", outside)


def _check_duplicates(facts: Sequence[PictureFacts]) -> Iterator[Finding]:
    groups = find_duplicates(facts)
    if groups:
        names = tuple(" = ".join(each.name for each in group) for group in groups)
        yield Finding("problem", "groups of the same picture under several names", names)
    pairs = find_near_duplicates(facts)
    if pairs:
        names = tuple(f"{one.name} ~ {other.name}" for one, other in pairs)
        yield Finding("note", "pairs that look nearly the same", names)


def _check_traits(facts: Sequence[PictureFacts]) -> Iterator[Finding]:
    for trait, text in _TRAITS.items():
        names = tuple(each.name for each in facts if trait in each.traits)
        if names:
            yield Finding("note", text, names)
    small = tuple(each.name for each in facts if min(each.size) < _SMALL)
    if small:
        yield Finding(
            "note",
            f"with a side below {_SMALL} pixels; training enlarges them to its size",
            small,
        )


def _area(box: Any) -> float:
    return float((box.x1 - box.x0) * (box.y1 - box.y0))
