"""Whether a plugin may be imported, decided from its metadata and files alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from latelier._version import __version__
from latelier.kernel.trust.entry_points import (
    API_MAJOR,
    BUILT_IN,
    COMMAND_GROUP,
    GROUP,
    Candidate,
    api_major,
    module_of,
    normalize,
)
from latelier.kernel.trust.policy import Policy

if TYPE_CHECKING:
    from latelier.kernel.trust.fingerprint import Fingerprints

State = Literal[
    "ok",
    "disabled",
    "incompatible_api",
    "changed_since_locked",
    "missing_dependency",
    "import_error",
    "invalid_hook",
    "registration_error",
]
"""The load status of a plugin."""


@dataclass(frozen=True)
class Refusal:
    """Why a plugin is not imported.

    Attributes:
        state: of the plugin.
        cause: one human-readable line.
        fix: how to fix it.
    """

    state: State
    cause: str
    fix: str


def admit(
    candidate: Candidate, policy: Policy, lock: "Fingerprints | None" = None
) -> Refusal | None:
    """Return why a plugin may not be imported, or None if it may.

    Args:
        candidate: the plugin.
        policy: of the user.
        lock: the contents of the lock in force, None without one.
    """
    return (
        _check_policy(candidate, policy)
        or _check_api(candidate)
        or _check_entry_point(candidate)
        or _check_lock(candidate, policy, lock)
    )


def read_lock_in_force(policy: Policy) -> "Fingerprints | None":
    """Return the contents of the lock that a policy names, or None if it names none.

    Raises:
        InvalidConfigError: the lock cannot be read.
    """
    if policy.lock is None:
        return None
    from latelier.kernel.trust.lock import read_lock  # hashing is slow to import

    return read_lock(policy.lock)


def latelier_requirement(requirements: Iterable[str]) -> str:
    """Return the versions of latelier that requirements (PEP 508) ask for, such as '>=1.2,<2'.

    It is '' for any version. Requirements of other environments and of extras do not count, nor do
    malformed ones.
    """
    clauses = []
    for text in requirements:
        if not normalize(text.lstrip()).startswith(BUILT_IN):
            continue
        from packaging.requirements import InvalidRequirement, Requirement  # only if it is needed

        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if normalize(requirement.name) == BUILT_IN and (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            clauses.append(str(requirement.specifier))
    return ",".join(filter(None, clauses))


def satisfies(version: str, requirement: str) -> bool:
    """Return whether a version of latelier, which may be a pre-release, meets a requirement."""
    if not requirement:
        return True
    from packaging.specifiers import SpecifierSet  # only if it is needed

    return SpecifierSet(requirement).contains(version, prereleases=True)


def _check_policy(candidate: Candidate, policy: Policy) -> Refusal | None:
    name, entry = candidate.distribution, candidate.entry_point.name
    reason = policy.block_reason(name, entry)
    return None if reason is None else Refusal("disabled", reason, policy.fix_hint(name, entry))


def _check_api(candidate: Candidate) -> Refusal | None:
    name, group = candidate.distribution, candidate.entry_point.group
    if group not in (GROUP, COMMAND_GROUP):
        major = api_major(group)
        newer = major.isdecimal() and int(major) > API_MAJOR
        upgrade = "pip install --upgrade"
        return Refusal(
            "incompatible_api",
            f"requires the plugin API '{group}', this latelier offers '{GROUP}'",
            f"{upgrade} latelier, or an older {name}" if newer else f"{upgrade} {name}",
        )
    if not satisfies(__version__, candidate.requires):
        return Refusal(
            "incompatible_api",
            f"requires latelier{candidate.requires}, this is {__version__}",
            f"pip install 'latelier{candidate.requires}', or another {name}",
        )
    return None


def _check_entry_point(candidate: Candidate) -> Refusal | None:
    if module_of(candidate.entry_point) is not None:
        return None
    return Refusal(
        "import_error",
        f"invalid entry point: expected 'module:object', got '{candidate.entry_point.value}'",
        f"report it to its author, or `latelier plugins disable {candidate.id}`",
    )


def _check_lock(
    candidate: Candidate, policy: Policy, lock: "Fingerprints | None"
) -> Refusal | None:
    if lock is None or candidate.distribution == BUILT_IN:
        return None
    from latelier.kernel.trust.lock import difference  # hashing is slow to import

    cause = difference(lock, candidate.distribution, candidate.entry_point.dist)
    if cause is None:
        return None
    return Refusal(
        "changed_since_locked",
        cause,
        f"if you changed it, `latelier plugins lock --output {policy.lock}`; if not, reinstall the "
        f"locked version, or `latelier plugins disable {candidate.id}`",
    )
