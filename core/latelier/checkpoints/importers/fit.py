"""Checks that weights fit a configuration, with errors that a person can act on."""

from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from latelier.checkpoints.io.shapes import Shapes, list_faults, list_names
from latelier.contracts.errors import InvalidConfigError, ModelFileError

FindPresets = Callable[[str, Shapes], Sequence[str]]
"""Returns the presets whose part at a place ("denoiser" ...) has weights of these shapes."""

IGNORE_LEFTOVERS = "ignore_leftovers"
"""The option of importers that lists tensors which no part of the model takes. Names may hold * as
in a file pattern."""


_HINT = "If they are known to be useless, --ignore-leftovers NAME ignores them"


def check_fit(
    place: str, found: Shapes, expected: Shapes, find_presets: FindPresets | None = None
) -> None:
    """Check that the tensors of a component are those of its configuration.

    Args:
        place: "first_stage", "denoiser" or "conditioners.NAME".
        found: the shapes in the file, under our names.
        expected: the shapes of the component.
        find_presets: looks for configurations that fit.

    Raises:
        ModelFileError: they are not. The error names up to ten tensors for each fault, and the
            presets that fit.
    """
    faults = list_faults(found, expected)
    if not faults:
        return
    presets = find_presets(place, found) if find_presets else ()
    hint = f". The configuration of {' or '.join(presets)} would fit" if presets else ""
    if len(faults) == 1 and found.keys() > expected.keys():
        hint += f". {_HINT}"
    raise ModelFileError(
        f"{place}: the weights do not fit this configuration: {'; '.join(faults)}{hint}"
    )


def refuse_leftovers(what: str, names: Iterable[str], ignore: Any = ()) -> tuple[str, ...]:
    """Check that no tensor of a file is left over, and return a note on those that are ignored.

    Args:
        what: the file, for errors.
        names: tensors that no part of the model takes.
        ignore: the option `ignore_leftovers`; see `select_ignored`.

    Raises:
        ModelFileError: other tensors are left over; the error names up to ten.
        InvalidConfigError: `ignore` holds something else than names.
    """
    leftovers = set(names)
    ignored = select_ignored(leftovers, ignore)
    unexpected = list_names("unexpected", leftovers - ignored)
    if unexpected:
        raise ModelFileError(f"{what}: {unexpected[0]}: no part of the model takes them. {_HINT}")
    return ignored_notes(ignored)


def select_ignored(names: Iterable[str], ignore: Any) -> set[str]:
    """Return the names of tensors that the option `ignore_leftovers` covers.

    Args:
        names: of tensors.
        ignore: the name or names to ignore; * stands for any characters.

    Raises:
        InvalidConfigError: `ignore` holds something else than names.
    """
    patterns = [ignore] if isinstance(ignore, str) else ignore
    if not (isinstance(patterns, list | tuple) and all(isinstance(p, str) for p in patterns)):
        raise InvalidConfigError(
            f"option '{IGNORE_LEFTOVERS}': expected names of tensors, got {ignore!r:.80}"
        )
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}


def ignored_notes(names: Collection[str]) -> tuple[str, ...]:
    """Return a human-readable note on tensors that were ignored, or ()."""
    return tuple(f"{text} by request" for text in list_names("tensors ignored", names))
