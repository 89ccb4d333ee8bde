"""`latelier plugins disable` and `enable`: the deny list of config.toml."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.support.output import AsJson, show_json, show_line

if TYPE_CHECKING:
    from latelier.kernel.trust.entry_points import Candidate

Names = Annotated[list[str], typer.Argument(help="'distribution' or 'distribution:entry'.")]


def disable(names: Names, as_json: AsJson = False) -> None:
    """Add plugins to the deny list of config.toml. No plugin is imported.

    Exit status: 1 if a plugin stays enabled because LATELIER_PLUGINS_DENY is set.
    """
    from latelier.cli.doctor.installed import find_installed
    from latelier.contracts.errors import InvalidInputError
    from latelier.kernel.trust.config_edits import disable as extend_deny_list
    from latelier.kernel.trust.config_edits import require_config_path
    from latelier.kernel.trust.entry_points import BUILT_IN, normalize_entry

    candidates = find_installed(names)
    if any(candidate.distribution == BUILT_IN for candidate in candidates):
        raise InvalidInputError("the plugins of latelier itself cannot be disabled")
    extend_deny_list(require_config_path(), map(normalize_entry, names))
    _show_switched(candidates, as_json, disabled=True)


def enable(names: Names, as_json: AsJson = False) -> None:
    """Remove plugins from the deny list of config.toml. No plugin is imported.

    Exit status: 1 if a plugin stays disabled because of an environment variable.
    """
    from latelier.cli.doctor.installed import find_installed
    from latelier.kernel.trust.config_edits import enable as shorten_deny_list
    from latelier.kernel.trust.config_edits import require_config_path
    from latelier.kernel.trust.config_file import read_settings
    from latelier.kernel.trust.entry_points import normalize_entry

    path = require_config_path()
    denied = [normalize_entry(name) for name in read_settings(path)[0].get("deny", [])]
    candidates = find_installed(names, denied)
    shorten_deny_list(path, map(normalize_entry, names))
    _show_switched(candidates, as_json, disabled=False)


def _show_switched(candidates: "Sequence[Candidate]", as_json: bool, *, disabled: bool) -> None:
    """Show the new states; exit with 1 if the environment overrides the deny list."""
    from latelier.cli.doctor.installed import state_rows
    from latelier.kernel.trust.policy import DENY_VARIABLE

    rows = state_rows(candidates)
    overridden = [row for row in rows if (row["state"] == "disabled") != disabled]
    if as_json:
        show_json(rows)
    else:
        for row in rows:
            if row not in overridden:
                show_line(f"{row['id']}: {row['state']}")
    for row in overridden:
        stays = f"stays disabled: {row['cause']}; {row['fix']}"
        if disabled:
            stays = f"stays enabled: {DENY_VARIABLE} overrides config.toml; add the name there"
        typer.echo(f"warning: {row['id']} {stays}", err=True)
    raise typer.Exit(1 if overridden else 0)
