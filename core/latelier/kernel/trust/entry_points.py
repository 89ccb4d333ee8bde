"""Finding plugins by metadata alone: nothing of theirs is imported here."""

import re
from importlib.metadata import EntryPoint

GROUP_PREFIX = "latelier.v"

API_MAJOR = 1

GROUP = f"{GROUP_PREFIX}{API_MAJOR}"


def module_of(entry_point: EntryPoint) -> str | None:
    """Return the module that an entry point names, or None where it is not written as one."""
    try:
        return entry_point.module
    except (AttributeError, ValueError):  # which of them depends on the version of Python
        return None


BUILT_IN = "latelier"


def normalize(distribution: str) -> str:
    """Return a distribution's name as the package index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def normalize_entry(name: str) -> str:
    """Return 'distribution' or 'distribution:entry' with the distribution's name normalised."""
    distribution, colon, entry = name.partition(":")
    return normalize(distribution) + colon + entry
