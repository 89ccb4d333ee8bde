"""Examining plugins: each is imported in a process of its own, under a time limit.

So a plugin that exits, crashes or never ends while it is imported is a finding like any other.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from latelier.cli.support.sessions import Sessions
from latelier.contracts.errors import one_line
from latelier.kernel.discovery import Candidate
from latelier.kernel.trust.policy import Policy, read_policy

SLOW_SECONDS = 0.25
"""An import that takes longer is slow. A light plugin takes a few milliseconds, and a command that
loads plugins is to answer in 600 with twenty of them: this is nearly half of it for one."""

_AT_ONCE = 2

_FINE = {"ok", "disabled"}

_WARNINGS = {"slow_import", "collision", "deprecated"}


@dataclass(frozen=True)
class Finding:
    """What became of one plugin. seconds: what importing and registering it took."""

    id: str
    distribution: str
    version: str
    state: str
    cause: str = ""
    fix: str = ""
    seconds: float = 0.0
    components: tuple[str, ...] = ()
    severity: int = 0
    """0 nothing is wrong, 1 a warning, 2 it does not work."""


def diagnose(candidates: Sequence[Candidate], timeout: float) -> list[Finding]:
    """Return the findings, with names that several plugins claim among them."""
    return _with_collisions(examine(candidates, timeout), read_policy())


def missing(candidates: Sequence[Candidate]) -> list[Finding]:
    """Return a finding for each distribution that is locked and of which `candidates` has none.

    Raises:
        InvalidConfigError: the lock cannot be read.
    """
    policy = read_policy()
    gone = policy.locked.keys() - {candidate.distribution for candidate in candidates}
    return [
        Finding(
            name,
            name,
            policy.locked[name].version,
            "not_installed",
            f"is in the lock {policy.lock}, and is not installed",
            f"pip install '{name}=={policy.locked[name].version}', or write the lock anew",
            severity=2,
        )
        for name in sorted(gone)
    ]


def examine(candidates: Sequence[Candidate], timeout: float) -> list[Finding]:
    """Return a finding for each candidate, in order; none is imported into this process."""
    policy, sessions = read_policy(), Sessions()

    def examined(candidate: Candidate) -> Finding:
        obstacle = candidate.obstacle(policy)
        if obstacle:
            return _finding(candidate, *obstacle)
        found = _probed(candidate, sessions, timeout)
        # once more: the first time Python compiles it, and reads it from a cold disk
        again = _is_slow(found)
        return _judged_slow(_probed(candidate, sessions, timeout)) if again else found

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            return list(pool.map(examined, candidates))
        except BaseException:
            sessions.end()
            raise


def _is_slow(finding: Finding) -> bool:
    return finding.state == "ok" and finding.seconds > SLOW_SECONDS


def _judged_slow(finding: Finding) -> Finding:
    if not _is_slow(finding):
        return finding
    return replace(
        finding,
        state="slow_import",
        cause=f"takes {finding.seconds:.2f} s to be imported; more than {SLOW_SECONDS:g} s is slow",
        fix="its author should import what is heavy only in the modules that `factory` names",
        severity=1,
    )


def _probed(candidate: Candidate, sessions: Sessions, timeout: float) -> Finding:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        report, errors = Path(folder, "report.json"), Path(folder, "errors.txt")
        # -P: the working directory is no place to import from
        command = [
            sys.executable,
            "-P",
            "-m",
            "latelier.cli.support.probe",
            candidate.id,
            str(report),
        ]
        with errors.open("wb") as stderr:
            status = sessions.status(command, stderr, timeout)
        try:
            values = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            values = None
        if status is None:
            doing = "not imported" if values is None else "imported, but its process goes on"
            cause = f"{doing} after {timeout:g} s"
            return _finding(candidate, "timed_out", cause, _fix(candidate), timeout)
        if values is None or (status != 0 and values["state"] == "ok"):
            cause = _last_words(status, errors.read_text(errors="replace"))
            return _finding(candidate, "crashed", cause, _fix(candidate))
    return _finding(candidate, **values)


def _finding(
    candidate: Candidate,
    state: str,
    cause: str = "",
    fix: str = "",
    seconds: float = 0.0,
    components: Iterable[str] = (),
) -> Finding:
    severity = 0 if state in _FINE else 1 if state in _WARNINGS else 2
    return Finding(
        candidate.id,
        candidate.distribution,
        candidate.version,
        state,
        cause,
        fix,
        seconds,
        tuple(components),
        severity,
    )


def _fix(candidate: Candidate) -> str:
    return (
        f"`latelier plugins disable {candidate.id}` gets latelier running without it, or "
        f"pip install --upgrade {candidate.distribution}"
    )


def _last_words(status: int, errors: str) -> str:
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    # a fatal error of the interpreter says what it is in its first line, an exception in its last
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    said = (fatal or lines[-1:])[:1]
    return f"the process that imported it {how}" + "".join(f": {one_line(line)}" for line in said)


def _with_collisions(findings: Sequence[Finding], policy: Policy) -> list[Finding]:
    """Return the findings, a warning in place of 'ok' where a bare name has several owners."""
    owners: dict[str, set[str]] = {}
    for finding in findings:
        for component in finding.components:
            owners.setdefault(_bare(component), set()).add(component.partition(":")[2])
    claimed = {
        bare: sorted(ids)
        for bare, ids in owners.items()
        if len(ids) > 1 and bare not in policy.aliases
    }
    return [_judged(finding, claimed) for finding in findings]


def _judged(finding: Finding, claimed: dict[str, list[str]]) -> Finding:
    mine = [bare for bare in map(_bare, finding.components) if bare in claimed]
    if finding.severity or not mine:
        return finding
    ids = claimed[mine[0]]
    return replace(
        finding,
        state="collision",
        cause=f"'{mine[0]}' is claimed by {' and '.join(ids)}",
        fix=f'ask for the full id, or put "{mine[0]}" = "{ids[0]}" in [aliases] of config.toml',
        severity=1,
    )


def _bare(component: str) -> str:
    """Return 'kind.name' for 'kind:distribution/name': as aliases are written."""
    kind, _, id_ = component.partition(":")
    return f"{kind}.{id_.partition('/')[2]}"
