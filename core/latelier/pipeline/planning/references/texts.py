"""Texts whose mentions of objects are bound to slots."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from latelier.contracts.databases import Mention
from latelier.pipeline.planning.references.mentions import read_mentions
from latelier.pipeline.planning.references.names import EntryNames
from latelier.pipeline.planning.references.slots import Slots, list_slots, slot_name, slots_in


@dataclass(frozen=True)
class BoundText:
    """A text with slots.

    Attributes:
        text: with slots in the place of mentions.
        known: the same without the phrases that the database lacks, which `warnings` name.
        warnings: about the text.
    """

    text: str
    known: str
    warnings: tuple[str, ...]


def bind_text(
    text: str,
    slots: Slots,
    most: int,
    names: EntryNames,
    vocabulary: Collection[str],
) -> BoundText:
    """Bind the mentions in a text to slots, and return it with the slots in their place.

    Args:
        text: of the request. It may have slots already.
        slots: of the picture, to which the objects of the text are added.
        most: slots that there may be.
        names: of the database whose entries it may mention.
        vocabulary: words that the text conditioner knows; empty: they have no limits. If they are
            limited and "#1" is none of them, the text stays as it is.
    """
    written = set(slots_in(text))
    taken = set(written)
    known = text
    warnings: list[str] = []
    bound: list[tuple[Mention, list[int]]] = []
    if names.database is not None:
        is_slotted = not vocabulary or slot_name(0) in vocabulary
        reading = read_mentions(
            text, names.database, names.source, vocabulary if is_slotted else ()
        )
        warnings += reading.warnings
        bound = list(_bind(text, reading.mentions, slots, taken, most))
        warnings += _faults(text, bound, slots, most, names)
        known = _blank(text, reading.unknown)
        if is_slotted:
            text, known = _replace(text, bound), _replace(known, bound)
    warnings += [
        f"'{slot_name(each)}' stands for reference {each + 1}, and there are {len(slots)}"
        for each in sorted(written)
        if each >= len(slots)
    ]
    return BoundText(text, known, tuple(warnings))


def _bind(
    text: str, mentions: Sequence[Mention], slots: Slots, taken: set[int], most: int
) -> Iterator[tuple[Mention, list[int]]]:
    """Yield each mention with the slots of its objects, fewer where there are not enough.

    "the cat" after "a cat" is the same one.
    """
    new, earlier = [], dict[int, Mention]()
    again: dict[int, Mention] = {}
    for position, mention in enumerate(mentions):
        first = earlier.setdefault(mention.entries[0], mention)
        if first is not mention and text[mention.start :].lower().startswith("the "):
            again[position] = first
        else:
            new.append(mention)
    entries = [entry for mention in new for entry in mention.entries]
    numbers = iter(slots.bind(entries, taken, most))
    found = {
        mention.start: [n for n in (next(numbers) for _ in mention.entries) if n is not None]
        for mention in new
    }
    for position, mention in enumerate(mentions):
        yield mention, found[again.get(position, mention).start][: len(mention.entries)]


def _faults(
    text: str,
    bound: Sequence[tuple[Mention, list[int]]],
    slots: Slots,
    most: int,
    names: EntryNames,
) -> Iterator[str]:
    """Yield what a person may not expect of a binding."""
    total = sum(len(mention.entries) for mention, _ in bound)
    for mention, numbers in bound:
        words = text[mention.start : mention.end]
        if len(numbers) < len(mention.entries):
            yield (
                f"it names {total} objects, and there is room for {most}; of '{words}' "
                f"{len(numbers) or 'none'} {'is' if len(numbers) == 1 else 'are'} drawn"
            )
        for entry, number in zip(mention.entries, numbers):
            shown = slots[number]
            if isinstance(shown, int) and shown != entry:
                yield (
                    f"'{words}' stands for reference {number + 1}, which shows "
                    f"{names.describe(shown)}"
                )


def _replace(text: str, bound: Sequence[tuple[Mention, list[int]]]) -> str:
    """Return a text with the slots of mentions in their place; one without stays."""
    for mention, numbers in reversed(bound):
        if numbers:
            text = text[: mention.start] + list_slots(numbers) + text[mention.end :]
    return text


def _blank(text: str, phrases: Sequence[tuple[int, int]]) -> str:
    """Return a text with spaces in the place of phrases."""
    for start, end in phrases:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
