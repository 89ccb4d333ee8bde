"""Pictures that occur more than once: the same bytes, or nearly the same content."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from latelier.data.check.facts import PictureFacts

MAX_BITS = 3
"""Most bits in which the gradients of near duplicates differ."""

MAX_COLOR = 12
"""Greatest difference of a mean colour of near duplicates, of 255."""

_MAX_GROUP = 256
"""Pictures with the same bits of a band that are compared with one another."""


def find_duplicates(facts: Iterable[PictureFacts]) -> list[list[PictureFacts]]:
    """Return the groups of pictures with the same bytes."""
    groups: dict[str, list[PictureFacts]] = defaultdict(list)
    for each in facts:
        groups[each.sha256].append(each)
    return [group for group in groups.values() if len(group) > 1]


def find_near_duplicates(
    facts: Sequence[PictureFacts],
) -> list[tuple[PictureFacts, PictureFacts]]:
    """Return pairs of pictures that look nearly the same, but differ in their bytes.

    Gradients that differ in at most three bits agree in one of four bands of 16 bits, so only
    pictures with a common band are compared.
    """
    bands: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, each in enumerate(facts):
        for band in range(4):
            bands[band, (each.gradient >> (16 * band)) & 0xFFFF].append(number)
    pairs = {
        (first, second)
        for members in bands.values()
        for place, first in enumerate(members[:_MAX_GROUP])
        for second in members[place + 1 : _MAX_GROUP]
        if _are_near(facts[first], facts[second])
    }
    return [(facts[first], facts[second]) for first, second in sorted(pairs)]


def _are_near(one: PictureFacts, other: PictureFacts) -> bool:
    return (
        one.sha256 != other.sha256
        and (one.gradient ^ other.gradient).bit_count() <= MAX_BITS
        and max(abs(a - b) for a, b in zip(one.colors, other.colors)) <= MAX_COLOR
    )
