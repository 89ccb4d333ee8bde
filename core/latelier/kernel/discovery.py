"""Finding plugins by metadata alone: nothing of theirs is imported here."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Literal

from latelier.kernel.policy import Policy, normalised

GROUP_PREFIX = "latelier.v"
API_MAJOR = 1
GROUP = f"{GROUP_PREFIX}{API_MAJOR}"

State = Literal[
    "ok",
    "disabled",
    "incompatible_api",
    "missing_dependency",
    "import_error",
    "invalid_hook",
    "registration_error",
]
"""What can become of a plugin."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """An entry point of a distribution, in a group whose name begins with 'latelier.v'."""

    distribution: str
    version: str
    entry_point: EntryPoint

    @property
    def id(self) -> str:
        """'distribution:entry', the unit of loading."""
        return f"{self.distribution}:{self.entry_point.name}"

    def obstacle(self, policy: Policy) -> tuple[State, str, str] | None:
        """Return state, cause and fix where it may not be imported, else None."""
        group = self.entry_point.group
        if group != GROUP:
            cause = f"wants the plugin API '{group}', this latelier offers '{GROUP}'"
            return "incompatible_api", cause, _remedy(group, self.distribution)
        refusal = policy.refusal(self.distribution, self.entry_point.name)
        if refusal is None:
            return None
        fix = "change LATELIER_PLUGINS_ALLOW, LATELIER_PLUGINS_DENY or [plugins] in config.toml"
        return "disabled", refusal, fix


def discover(found: Iterable[Distribution] | None = None) -> list[Candidate]:
    """Return all candidates, sorted by id. A distribution that is on the path twice counts once."""
    first: dict[str, list[Candidate]] = {}
    for distribution in distributions() if found is None else found:
        candidates = _candidates_of(distribution)
        if candidates:
            first.setdefault(candidates[0].distribution, candidates)
    return sorted(
        (each for candidates in first.values() for each in candidates),
        key=lambda candidate: (candidate.id, candidate.entry_point.group),
    )


def _candidates_of(distribution: Distribution) -> list[Candidate]:
    try:
        entry_points = [e for e in distribution.entry_points if e.group.startswith(GROUP_PREFIX)]
        if not entry_points:
            return []
        name = normalised(distribution.metadata["Name"] or "unknown")
        version = distribution.version or "unknown"
    except Exception as error:  # a damaged installation of anything at all must not stop the host
        _log.warning("the metadata of %s cannot be read: %r", distribution.locate_file(""), error)
        return []
    return [Candidate(name, version, each) for each in entry_points]


def _remedy(group: str, distribution: str) -> str:
    major = group.removeprefix(GROUP_PREFIX)
    if major.isdecimal() and int(major) > API_MAJOR:
        return f"pip install --upgrade latelier, or an older {distribution}"
    return f"pip install --upgrade {distribution}"
