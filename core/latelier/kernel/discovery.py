"""Finding plugins by metadata alone: nothing of theirs is imported here."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from latelier._version import __version__
from latelier.kernel.trust.admission import State, latelier_requirement, satisfies
from latelier.kernel.trust.entry_points import (
    API_MAJOR,
    BUILT_IN,
    GROUP,
    GROUP_PREFIX,
    module_of,
    normalize,
)
from latelier.kernel.trust.policy import Policy

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """An entry point of a distribution, in a group whose name begins with 'latelier.v'.

    asks: the versions of latelier that the distribution asks for, such as '>=1.2'; '' for any.
    """

    distribution: str
    version: str
    entry_point: EntryPoint
    asks: str = ""

    @property
    def id(self) -> str:
        """'distribution:entry', the unit of loading."""
        return f"{self.distribution}:{self.entry_point.name}"

    def obstacle(self, policy: Policy) -> tuple[State, str, str] | None:
        """Return state, cause and fix where it may not be imported, else None.

        Raises:
            InvalidConfigError: the lock of the policy cannot be read.
        """
        refusal = policy.refusal(self.distribution, self.entry_point.name)
        if refusal is not None:
            return "disabled", refusal, policy.remedy(self.distribution, self.entry_point.name)
        group = self.entry_point.group
        if group != GROUP:
            cause = f"wants the plugin API '{group}', this latelier offers '{GROUP}'"
            return "incompatible_api", cause, _remedy(group, self.distribution)
        if not satisfies(self.asks, __version__):
            cause = f"asks for latelier{self.asks}, this is {__version__}"
            fix = f"pip install 'latelier{self.asks}', or another {self.distribution}"
            return "incompatible_api", cause, fix
        if module_of(self.entry_point) is None:
            cause = f"its entry point says '{self.entry_point.value}', which is no 'module:object'"
            fix = f"report it to its author, or `latelier plugins disable {self.id}`"
            return "import_error", cause, fix
        return self._changed(policy)

    def _changed(self, policy: Policy) -> tuple[State, str, str] | None:
        if policy.lock is None or self.distribution == BUILT_IN:
            return None
        from latelier.kernel.trust.lock import difference  # hashing is for those who lock

        cause = difference(policy.locked, self.distribution, self.entry_point.dist)
        if cause is None:
            return None
        fix = (
            f"if that is meant, `latelier plugins lock --output {policy.lock}`; if not, install "
            f"again what was locked, or `latelier plugins disable {self.id}`"
        )
        return "changed_since_locked", cause, fix


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
        metadata = distribution.metadata
        name = normalize(metadata["Name"] or "unknown")
        version = metadata["Version"] or "unknown"
        # what the built-ins ask of latelier are its extras, and reading them takes an import
        asks = (
            ""
            if name == BUILT_IN
            else latelier_requirement(metadata.get_all("Requires-Dist") or ())
        )
    except Exception as error:  # a damaged installation of anything at all must not stop the host
        _log.warning("the metadata of %s cannot be read: %r", distribution.locate_file(""), error)
        return []
    ours = [each for each in entry_points if each.group == GROUP]  # others are for another latelier
    return [Candidate(name, version, each, asks) for each in ours or entry_points]


def _remedy(group: str, distribution: str) -> str:
    major = group.removeprefix(GROUP_PREFIX)
    if major.isdecimal() and int(major) > API_MAJOR:
        return f"pip install --upgrade latelier, or an older {distribution}"
    return f"pip install --upgrade {distribution}"
