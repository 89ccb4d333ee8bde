"""The atelier of programs that do not make one."""

from functools import cache

from latelier.kernel.atelier import Atelier


@cache
def default_atelier() -> Atelier:
    """Return the atelier with all installed plugins; it is made once, on the first call."""
    return Atelier()
