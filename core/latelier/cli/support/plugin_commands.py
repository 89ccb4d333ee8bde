"""Commands that plugins add to the command line.

They are found by metadata alone, and only the one that is run is imported, if the user's policy
and lock admit its plugin. A command of latelier itself keeps its name.
"""

from collections.abc import Callable
from typing import Any

from latelier.contracts.errors import AmbiguousNameError, LatelierError, PluginError
from latelier.contracts.messages import format_error
from latelier.kernel.trust.admission import admit, read_lock_in_force
from latelier.kernel.trust.config_file import read_policy
from latelier.kernel.trust.discovery import discover_commands
from latelier.kernel.trust.entry_points import Candidate
from latelier.kernel.trust.guard import guard_plugin
from latelier.kernel.trust.side_effects import contain_side_effects


def list_commands() -> list[tuple[str, str]]:
    """Return the name of each command of a plugin, with the summary of its distribution."""
    return [(each.entry_point.name, _summary(each)) for each in discover_commands()]


def import_command(name: str) -> Callable[..., Any] | None:
    """Import the function of a plugin's command, or the typer app of its commands, and return it.

    It is None if no plugin has it.

    Raises:
        AmbiguousNameError: several plugins have it.
        PluginError: its plugin is disabled, incompatible or changed, or cannot be imported.
    """
    found = [each for each in discover_commands() if each.entry_point.name == name]
    if not found:
        return None
    if len(found) > 1:
        ids = " and ".join(each.id for each in found)
        raise AmbiguousNameError(
            f"the command '{name}' is claimed by {ids}; `latelier plugins disable` one of them"
        )
    return _import_function(found[0])


def _import_function(candidate: Candidate) -> Callable[..., Any]:
    what = f"the command '{candidate.entry_point.name}' of plugin '{candidate.id}'"
    policy = read_policy()
    refusal = admit(candidate, policy, read_lock_in_force(policy))
    if refusal is not None:
        raise PluginError(f"{what} is not loaded ({refusal.state}): {refusal.cause}. {refusal.fix}")
    try:
        with guard_plugin(what), contain_side_effects(candidate.id):
            function: Callable[..., Any] = candidate.entry_point.load()
            return function
    except LatelierError:
        raise
    except Exception as error:
        raise PluginError(f"{what} cannot be imported: {format_error(error)}") from error


def _summary(candidate: Candidate) -> str:
    distribution = candidate.entry_point.dist
    summary = distribution.metadata["Summary"] if distribution else None
    return summary or f"Of {candidate.distribution}."
