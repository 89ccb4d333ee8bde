"""Which latelier a plugin asks for, read from its metadata.

That is how a plugin names the minor version of the API that it was made for. An installer holds
to it; what is told here is that something was changed past the installer. Only comparisons of
release numbers are understood ('>=1.2,<2', '~=1.2', '==1.*'); whatever else a requirement says is
left to the installer. (`packaging` understands it all, and importing it would take a quarter of the
time in which `plugins list` has to be done.)
"""

import re
from collections.abc import Iterable

from latelier.kernel.policy import BUILT_IN, normalised

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(;.*)?")
_CLAUSE = re.compile(r"(>=|<=|==|!=|~=|<|>)\s*(\d+(?:\.\d+)*)(\.\*)?")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")


def asked_for(requirements: Iterable[str]) -> str:
    """Return what a distribution's requirements ask of latelier, such as '>=1.2,<2', or ''."""
    clauses = []
    for requirement in requirements:
        match = _REQUIREMENT.fullmatch(requirement)
        if match and normalised(match[1]) == BUILT_IN and not match[3]:
            clauses.append(match[2].strip())
    return ",".join(filter(None, clauses))


def is_met(asked: str, version: str) -> bool:
    """Tell whether a version of latelier is what is asked for; a suffix such as rc1 is ignored."""
    return all(_holds(clause.strip(), version) for clause in asked.split(",") if clause.strip())


def _holds(clause: str, version: str) -> bool:
    match, release = _CLAUSE.fullmatch(clause), _RELEASE.match(version)
    if match is None or release is None:
        return True
    operator, wanted, have = match[1], _numbers(match[2]), _numbers(release[0])
    if match[3]:  # '==1.2.*' compares no more numbers than it gives
        have = (have + (0,) * len(wanted))[: len(wanted)]
    length = max(len(wanted), len(have))
    a, b = (each + (0,) * (length - len(each)) for each in (have, wanted))
    results = {
        ">=": a >= b,
        "<=": a <= b,
        "==": a == b,
        "!=": a != b,
        "<": a < b,
        ">": a > b,
        "~=": a >= b and a[: len(wanted) - 1] == b[: len(wanted) - 1],
    }
    return results[operator]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
