"""Finding plugins by metadata alone: nothing of theirs is imported here."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from latelier.kernel.policy import Policy, normalised

GROUP_PREFIX = "latelier.v"
API_MAJOR = 1
GROUP = f"{GROUP_PREFIX}{API_MAJOR}"


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

    def obstacle(self, policy: Policy) -> tuple[str, str, str] | None:
        """Return state, cause and fix where it may not be imported, else None."""
        if self.entry_point.group != GROUP:
            return (
                "incompatible_api",
                f"wants the plugin API '{self.entry_point.group}', this latelier offers '{GROUP}'",
                _remedy(self.entry_point.group, self.distribution),
            )
        refusal = policy.refusal(self.distribution, self.entry_point.name)
        if refusal is None:
            return None
        fix = "change LATELIER_PLUGINS_ALLOW, LATELIER_PLUGINS_DENY or [plugins] in config.toml"
        return "disabled", refusal, fix


def discover(found: Iterable[Distribution] | None = None) -> list[Candidate]:
    """Return all candidates, sorted by id. A distribution that is on the path twice counts once."""
    seen: set[str] = set()
    candidates = []
    for distribution in distributions() if found is None else found:
        entry_points = [e for e in distribution.entry_points if e.group.startswith(GROUP_PREFIX)]
        if not entry_points:
            continue
        name = normalised(distribution.metadata["Name"] or "unknown")
        if name not in seen:
            seen.add(name)
            candidates += [Candidate(name, distribution.version, each) for each in entry_points]
    return sorted(candidates, key=lambda candidate: (candidate.id, candidate.entry_point.group))


def _remedy(group: str, distribution: str) -> str:
    major = group.removeprefix(GROUP_PREFIX)
    if major.isdecimal() and int(major) > API_MAJOR:
        return f"pip install --upgrade latelier, or an older {distribution}"
    return f"pip install --upgrade {distribution}"
