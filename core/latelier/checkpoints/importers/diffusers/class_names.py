"""Names of classes, as a model_index.json has them."""

from collections import Counter
from typing import Any


def class_names(labels: Any, count: int) -> tuple[str, ...]:
    """Return a name for each of `count` classes, no two alike; none where some have no label.

    A label is a list of synonyms, of which the first is the name. Where several classes share it
    (ImageNet's two kinds of crane) they have the whole label, or at last their number beside it.

    Args:
        labels: number, as text -> label; anything else is no names.
        count: of classes.
    """
    if not isinstance(labels, dict) or set(labels) != {str(number) for number in range(count)}:
        return ()
    whole = [" ".join(str(labels[str(number)]).split()) for number in range(count)]
    first = [label.partition(",")[0].strip() for label in whole]
    names = [short if alone else label for short, label, alone in zip(first, whole, _alone(first))]
    numbered = enumerate(zip(names, _alone(names)))
    return tuple(name if alone else f"{name} ({number})" for number, (name, alone) in numbered)


def _alone(names: list[str]) -> list[bool]:
    """Return of each name whether no other is the same but for case."""
    count = Counter(name.casefold() for name in names)
    return [count[name.casefold()] == 1 for name in names]
