"""Installed plugins by name, and rows about them. No plugin is imported."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from latelier.contracts.errors import UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.kernel.trust.admission import admit, read_lock_in_force
from latelier.kernel.trust.config_file import read_policy
from latelier.kernel.trust.discovery import discover_all
from latelier.kernel.trust.entry_points import normalize_entry

if TYPE_CHECKING:
    from latelier.kernel.trust.entry_points import Candidate

Row = dict[str, Any]

_INSTALLED = {"state": "installed", "cause": "", "fix": ""}


def find_installed(names: Sequence[str], known: Sequence[str] = ()) -> "list[Candidate]":
    """Return the installed plugins and commands with these names; all if there are no names.

    Args:
        names: 'distribution' or 'distribution:entry'.
        known: further names that are not an error although nothing installed has them.

    Raises:
        UnknownNameError: nothing installed has a name.
    """
    installed = discover_all()
    if not names:
        return installed
    requested = set(map(normalize_entry, names))
    available = {*known, *(name for each in installed for name in (each.id, each.distribution))}
    for unknown in sorted(requested - available):
        hint = suggestion(unknown, available)
        raise UnknownNameError(f"no plugin '{unknown}' is installed. {hint}")
    return [each for each in installed if requested & {each.id, each.distribution}]


def state_rows(candidates: "Sequence[Candidate]") -> list[Row]:
    """Return metadata, state, cause and fix of each plugin, decided without an import.

    Raises:
        InvalidConfigError: config.toml or the lock cannot be read.
    """
    policy = read_policy()
    lock = read_lock_in_force(policy)
    rows = []
    for candidate in candidates:
        refusal = admit(candidate, policy, lock)
        state = (
            {"state": "installed", "cause": "", "fix": ""} if refusal is None else asdict(refusal)
        )
        rows.append({**metadata_row(candidate), **state})
    return rows


def metadata_row(candidate: "Candidate") -> Row:
    """Return id, distribution, version, group and entry point of a plugin."""
    return {
        "id": candidate.id,
        "distribution": candidate.distribution,
        "version": candidate.version,
        "group": candidate.entry_point.group,
        "entry_point": candidate.entry_point.value,
    }


def distribution_row(candidate: "Candidate") -> Row:
    """Return summary and requirements of a plugin's distribution."""
    distribution = candidate.entry_point.dist
    if distribution is None:
        return {"summary": None, "requires": []}
    requires = distribution.requires or []
    return {
        "summary": distribution.metadata["Summary"],
        "requires": sorted(each for each in requires if "extra ==" not in each),
    }
