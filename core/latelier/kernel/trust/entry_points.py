"""The entry points of plugins: their group, their names and their metadata."""

import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint

GROUP_PREFIX = "latelier.v"

API_MAJOR = 1

GROUP = f"{GROUP_PREFIX}{API_MAJOR}"

COMMAND_GROUP = f"{GROUP}.commands"
"""The entry points of commands: each names a function, which `latelier NAME` runs."""

BUILT_IN = "latelier"
"""The distribution of the built-in plugins: latelier itself."""


@dataclass(frozen=True)
class Candidate:
    """A plugin that is installed: an entry point in a group whose name begins with 'latelier.v'.

    Attributes:
        distribution: normalized name of the distribution that installed it.
        version: of that distribution.
        entry_point: names the plugin's object. It is not loaded here.
        requires: the versions of latelier that the distribution requires, such as '>=1.2'; '' for
            any.
    """

    distribution: str
    version: str
    entry_point: EntryPoint
    requires: str = ""

    @property
    def id(self) -> str:
        """'distribution:entry', the unit of loading."""
        return f"{self.distribution}:{self.entry_point.name}"


def module_of(entry_point: EntryPoint) -> str | None:
    """Return the module that an entry point names, or None if its value is malformed."""
    try:
        return entry_point.module
    except (AttributeError, ValueError):  # which of them depends on the version of Python
        return None


def is_command(group: str) -> bool:
    """Return whether a group, of any version of the plugin API, is that of commands."""
    return group.endswith(".commands")


def api_major(group: str) -> str:
    """Return the major version of the plugin API in the name of a group."""
    return group.removeprefix(GROUP_PREFIX).partition(".")[0]


def normalize(distribution: str) -> str:
    """Return a distribution's name as the package index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def normalize_entry(name: str) -> str:
    """Return 'distribution' or 'distribution:entry' with the distribution's name normalized."""
    distribution, colon, entry = name.partition(":")
    return normalize(distribution) + colon + entry
