"""Names of classes from the labels in a model_index.json."""

from collections import Counter
from typing import Any


def class_names(labels: Any, count: int) -> tuple[str, ...]:
    """Return a different name for each class, or () where some class has no label.

    A label is a list of synonyms. The first is the name. Classes that share it (ImageNet has two
    kinds of crane) are named by the whole label, or by that and their number.

    Args:
        labels: number, as text -> label; anything else holds no names.
        count: of classes.
    """
    if not isinstance(labels, dict) or set(labels) != {str(number) for number in range(count)}:
        return ()
    whole = [" ".join(str(labels[str(number)]).split()) for number in range(count)]
    first = [label.partition(",")[0].strip() for label in whole]
    names = [
        short if is_unique else label
        for short, label, is_unique in zip(first, whole, _are_unique(first))
    ]
    return tuple(
        name if is_unique else f"{name} ({number})"
        for number, (name, is_unique) in enumerate(zip(names, _are_unique(names)))
    )


def _are_unique(names: list[str]) -> list[bool]:
    """Return for each name whether no other is the same, ignoring case."""
    count = Counter(name.casefold() for name in names)
    return [count[name.casefold()] == 1 for name in names]
