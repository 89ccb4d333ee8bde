"""Comparing the tensors of a file with those of a module, by name and shape."""

from collections.abc import Collection, Mapping

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a tensor -> its shape."""

_MAX_SHOWN = 10


def list_faults(found: Shapes, expected: Shapes) -> list[str]:
    """Return a phrase for each way in which `found` differs from `expected`; none if they agree."""
    misshapen = [
        f"{name} is {_format(found[name])}, not {_format(expected[name])}"
        for name in sorted(found.keys() & expected.keys())
        if found[name] != expected[name]
    ]
    return [
        *list_names("missing", expected.keys() - found.keys()),
        *list_names("unexpected", found.keys() - expected.keys()),
        *list_names("misshapen", misshapen),
    ]


def list_names(label: str, names: Collection[str]) -> list[str]:
    """Return ['N label (the first ten names)'], or [] without names."""
    if not names:
        return []
    rest = ", ..." if len(names) > _MAX_SHOWN else ""
    return [f"{len(names)} {label} ({', '.join(sorted(names)[:_MAX_SHOWN])}{rest})"]


def _format(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
