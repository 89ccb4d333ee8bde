"""Do weights fit a configuration? Said in a way that a person can act on."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from latelier.contracts.errors import ModelFileError

Shapes = Mapping[str, tuple[int, ...]]

Published = Callable[[str, Shapes], Sequence[str]]
"""Returns the published configurations of a place ("denoiser" ...) that have these shapes."""

SHOWN = 10


def check_fit(
    place: str, found: Shapes, wanted: Shapes, published: Published | None = None
) -> None:
    """Check that the tensors of a component are those that its configuration asks for.

    Args:
        place: "first_stage", "denoiser" or "conditioners.NAME".
        found: shapes in the file, under our names.
        wanted: shapes of the component.
        published: looks for configurations that would fit.

    Raises:
        ModelFileError: they are not; the first ten of each fault are named, and what would fit.
    """
    common = sorted(found.keys() & wanted.keys())
    misshapen = [
        f"{name} is {_shape(found[name])}, not {_shape(wanted[name])}"
        for name in common
        if found[name] != wanted[name]
    ]
    faults = [
        listed("missing", sorted(wanted.keys() - found.keys())),
        listed("unexpected", sorted(found.keys() - wanted.keys())),
        listed("misshapen", misshapen),
    ]
    if not any(faults):
        return
    fitting = published(place, found) if published else ()
    hint = f". The configuration of {' or '.join(fitting)} would fit" if fitting else ""
    said = "; ".join(fault for fault in faults if fault)
    raise ModelFileError(f"{place}: the weights are not this configuration's: {said}{hint}")


def listed(what: str, names: Sequence[str]) -> str:
    """Return 'N what (the first ten)', or nothing for none."""
    if not names:
        return ""
    rest = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:SHOWN])}{rest})"


def refuse_leftovers(what: str, names: Iterable[str]) -> None:
    """Check that nothing of a file is left unread.

    Raises:
        ModelFileError: something is; the first ten are named.
    """
    left = sorted(names)
    if left:
        raise ModelFileError(
            f"{what}: {listed('unexpected', left)}: no part of the model takes them"
        )


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
