"""Examine plugins: import each in a process of its own, under a time limit.

A plugin that exits, crashes or never finishes its import becomes a finding like any other.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from latelier.cli.doctor.process_pool import ProcessPool
from latelier.cli.support.foreign_plugins import skip_absent_plugins
from latelier.contracts.messages import one_line
from latelier.kernel.trust.admission import admit, read_lock_in_force
from latelier.kernel.trust.config_file import read_policy
from latelier.kernel.trust.entry_points import Candidate
from latelier.kernel.trust.policy import Policy

SLOW_SECONDS = 0.25
"""Limit for a fast import. A light plugin takes a few milliseconds, and a command with twenty
plugins must start within 0.6 s: one plugin may use nearly half of that."""

_WORKERS = 2

_HARMLESS = {"ok", "disabled"}

_WARNINGS = {"slow_import", "collision", "deprecated"}


@dataclass(frozen=True)
class Finding:
    """The result of examining one plugin.

    Attributes:
        id: "distribution:entry".
        distribution: normalized name of the distribution.
        version: of the distribution.
        state: "ok" or a fault, as listed in docs/cli.md.
        cause: why the state is not "ok"; empty if it is.
        fix: how to repair it; empty if nothing is wrong.
        seconds: duration of import and registration.
        components: "kind:distribution/name" of each registered component.
        severity: 0 nothing is wrong, 1 a warning, 2 the plugin does not work.
    """

    id: str
    distribution: str
    version: str
    state: str
    cause: str = ""
    fix: str = ""
    seconds: float = 0.0
    components: tuple[str, ...] = ()
    severity: int = 0


def diagnose(candidates: Sequence[Candidate], timeout: float) -> list[Finding]:
    """Return a finding for each candidate, with a warning for names that several plugins claim."""
    return _mark_collisions(examine(candidates, timeout), read_policy())


def find_missing(candidates: Sequence[Candidate]) -> list[Finding]:
    """Return a finding for each locked distribution that is not among the candidates.

    Raises:
        InvalidConfigError: the lock cannot be read.
    """
    policy = read_policy()
    lock = read_lock_in_force(policy) or {}
    absent = lock.keys() - {candidate.distribution for candidate in candidates}
    return [
        Finding(
            id=name,
            distribution=name,
            version=lock[name].version,
            state="not_installed",
            cause=f"is in the lock {policy.lock}, but is not installed",
            fix=f"pip install '{name}=={lock[name].version}', or run "
            "`latelier plugins lock` to replace the lock",
            severity=2,
        )
        for name in sorted(absent)
    ]


def examine(candidates: Sequence[Candidate], timeout: float) -> list[Finding]:
    """Return a finding for each candidate, in order, without importing any into this process.

    Args:
        candidates: installed plugins.
        timeout: seconds that the process of one plugin may take.
    """
    skip_absent_plugins()  # in the processes too
    policy, processes = read_policy(), ProcessPool()
    lock = read_lock_in_force(policy)

    def examine_one(candidate: Candidate) -> Finding:
        refusal = admit(candidate, policy, lock)
        if refusal is not None:
            return _finding(candidate, refusal.state, refusal.cause, refusal.fix)
        found = _probe(candidate, processes, timeout)
        if _is_slow(found):  # the first import compiles the plugin and reads it from a cold disk
            return _report_slow(_probe(candidate, processes, timeout))
        return found

    with ThreadPoolExecutor(_WORKERS) as threads:
        try:
            return list(threads.map(examine_one, candidates))
        except BaseException:
            processes.kill()
            raise


def _probe(candidate: Candidate, processes: ProcessPool, timeout: float) -> Finding:
    """Load a plugin in a process of its own and return the finding."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        report, errors = Path(folder, "report.json"), Path(folder, "errors.txt")
        # -P: plugins must not be imported from the working directory
        module = "latelier.cli.doctor.probe"
        command = [sys.executable, "-P", "-m", module, candidate.id, str(report)]
        with errors.open("wb") as stderr:
            status = processes.run(command, stderr, timeout)
        try:
            values = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            values = None
        if status is None:
            progress = "not imported" if values is None else "imported, but its process goes on"
            cause = f"{progress} after {timeout:g} s"
            return _finding(candidate, "timed_out", cause, _fix(candidate), timeout)
        if values is None or (status != 0 and values["state"] == "ok"):
            cause = _explain_crash(status, errors.read_text(errors="replace"))
            return _finding(candidate, "crashed", cause, _fix(candidate))
    return _finding(candidate, **values)


def _is_slow(finding: Finding) -> bool:
    return finding.state == "ok" and finding.seconds > SLOW_SECONDS


def _report_slow(finding: Finding) -> Finding:
    if not _is_slow(finding):
        return finding
    return replace(
        finding,
        state="slow_import",
        cause=f"its import takes {finding.seconds:.2f} s; more than {SLOW_SECONDS:g} s is slow",
        fix="its author should import heavy packages only in the modules that `factory` names",
        severity=1,
    )


def _finding(
    candidate: Candidate,
    state: str,
    cause: str = "",
    fix: str = "",
    seconds: float = 0.0,
    components: Iterable[str] = (),
) -> Finding:
    return Finding(
        id=candidate.id,
        distribution=candidate.distribution,
        version=candidate.version,
        state=state,
        cause=cause,
        fix=fix,
        seconds=seconds,
        components=tuple(components),
        severity=0 if state in _HARMLESS else 1 if state in _WARNINGS else 2,
    )


def _fix(candidate: Candidate) -> str:
    return (
        f"`latelier plugins disable {candidate.id}` makes latelier run without it, or "
        f"pip install --upgrade {candidate.distribution}"
    )


def _explain_crash(status: int, errors: str) -> str:
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    # a fatal error of the interpreter names itself in its first line, an exception in its last
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    reason = (fatal or lines[-1:])[:1]
    return f"the process that imported it {how}" + "".join(f": {one_line(line)}" for line in reason)


def _mark_collisions(findings: Sequence[Finding], policy: Policy) -> list[Finding]:
    """Turn 'ok' into a warning where several plugins claim one bare name."""
    owners: dict[str, set[str]] = {}
    for finding in findings:
        for component in finding.components:
            owners.setdefault(_bare_name(component), set()).add(component.partition(":")[2])
    contested = {
        bare: sorted(ids)
        for bare, ids in owners.items()
        if len(ids) > 1 and bare not in policy.aliases
    }
    return [_report_collision(finding, contested) for finding in findings]


def _report_collision(finding: Finding, contested: dict[str, list[str]]) -> Finding:
    names = [bare for bare in map(_bare_name, finding.components) if bare in contested]
    if finding.severity or not names:
        return finding
    bare, ids = names[0], contested[names[0]]
    return replace(
        finding,
        state="collision",
        cause=f"'{bare}' is claimed by {' and '.join(ids)}",
        fix=f'use the full id, or put "{bare}" = "{ids[0]}" in [aliases] of config.toml',
        severity=1,
    )


def _bare_name(component: str) -> str:
    """Return "kind.name" for "kind:distribution/name", the form used by aliases."""
    kind, _, id_ = component.partition(":")
    return f"{kind}.{id_.partition('/')[2]}"
