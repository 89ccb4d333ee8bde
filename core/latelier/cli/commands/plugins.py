"""`latelier plugins`: what is installed, whether it works, and which of it may load."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.commands.new_plugin import new
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import show_columns, show_fields, show_json, show_line

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from latelier.kernel.trust.entry_points import Candidate
    from latelier.kernel.trust.fingerprint import Fingerprints
    from latelier.kernel.trust.policy import Policy


app = LightTyper(help="Create, list, examine, enable, disable and lock plugins.")

app.command()(new)

Names = Annotated[list[str], typer.Argument(help="'distribution' or 'distribution:entry'.")]

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]

Seconds = Annotated[
    float, typer.Option(min=0.1, help="Seconds that a plugin may take to be imported.")
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List what is installed, from metadata alone: no plugin is imported."""
    from latelier.kernel.trust.config_file import read_policy
    from latelier.kernel.trust.discovery import discover
    from latelier.kernel.trust.lock import read_lock_in_force

    policy = read_policy()
    lock = read_lock_in_force(policy)
    rows = [_row(candidate, policy, lock) for candidate in discover()]
    if as_json:
        show_json(rows)
    else:
        keys = ("id", "version", "state", "entry_point", "cause")
        heads = ("PLUGIN", "VERSION", "STATE", "ENTRY POINT", "CAUSE")
        show_columns(heads, [[row[key] for key in keys] for row in rows])


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="'distribution' or 'distribution:entry'.")],
    timeout: Seconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Show one plugin: its metadata, whether it loads, and its components."""
    from latelier.cli.doctor.examination import examine

    candidates = _called([name])
    rows = [
        {**_metadata(candidate), **_about(candidate), **asdict(finding)}
        for candidate, finding in zip(candidates, examine(candidates, timeout), strict=True)
    ]
    if as_json:
        show_json(rows)
        return
    for row in rows:
        lists = {key: "\n  ".join(["", *row[key]]) for key in ("requires", "components")}
        seconds = f"{row['seconds'] * 1000:.0f} ms"
        lines = {**row, **lists, "seconds": seconds, "severity": None}
        show_fields(list(lines.items()))


@app.command()
def doctor(
    names: Annotated[
        list[str] | None, typer.Argument(help="Plugins to examine; all if there are none.")
    ] = None,
    timeout: Seconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Import each plugin in a process of its own, and say what is wrong and what would mend it.

    To import one may take 0.25 s; beyond it is slow, for every command that needs plugins waits.

    Exit status: 0 where nothing is wrong, 1 for warnings, 2 where a plugin does not work.
    """
    from latelier.cli.doctor.examination import diagnose, find_missing

    called = _called(names or [])
    findings = [*diagnose(called, timeout), *([] if names else find_missing(called))]
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        heads = ("PLUGIN", "VERSION", "STATE", "IMPORT")
        show_columns(
            heads,
            [[f.id, f.version, f.state, f"{f.seconds * 1000:.0f} ms"] for f in findings],
        )
        for finding in findings:
            if finding.cause:
                show_line(f"\n{finding.id}: {finding.cause}\n  fix: {finding.fix}")
    raise typer.Exit(max((finding.severity for finding in findings), default=0))


@app.command()
def disable(names: Names, as_json: AsJson = False) -> None:
    """Leave plugins out from now on: config.toml denies them. None is imported for this.

    Exit status: 1 where one stays enabled because LATELIER_PLUGINS_DENY is set.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.kernel.trust.config_file import disable as put_on_deny_list
    from latelier.kernel.trust.config_file import require_config_path
    from latelier.kernel.trust.entry_points import BUILT_IN

    called = _called(names)
    if any(candidate.distribution == BUILT_IN for candidate in called):
        raise InvalidInputError("the plugins of latelier itself cannot be disabled")
    put_on_deny_list(require_config_path(), _normalised(names))
    _show_switched(called, as_json, disabled=True)


@app.command()
def enable(names: Names, as_json: AsJson = False) -> None:
    """Let plugins in again: config.toml denies them no more. None is imported for this.

    Exit status: 1 where one stays disabled because of a variable of the environment.
    """
    from latelier.kernel.trust.config_file import enable as take_off_deny_list
    from latelier.kernel.trust.config_file import read_settings, require_config_path

    path = require_config_path()
    entries = _normalised(names)
    denied = _normalised(read_settings(path)[0].get("deny", []))
    called = _called(names, denied)
    take_off_deny_list(path, entries)
    _show_switched(called, as_json, disabled=False)


@app.command()
def lock(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="By default the lock in force, or latelier.lock here.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write down the plugins that may load, their versions and the hashes of their files.

    While LATELIER_LOCK, or `lock` in [plugins] of config.toml, names the file, a plugin that
    differs from it, or is not in it, is left out before anything of it is imported.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.kernel.trust.config_file import read_policy
    from latelier.kernel.trust.lock import fingerprint_all, read_lock, write_lock
    from latelier.kernel.trust.policy import LOCK_VARIABLE

    policy = read_policy()
    path = output or policy.lock or Path("latelier.lock")
    if path.exists():
        read_lock(path)
    plugins = fingerprint_all(_that_may_load(policy))
    try:
        write_lock(path, plugins)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be written: {error.strerror}") from None
    _show_locked(plugins, as_json)
    if policy.lock is None or policy.lock.resolve() != path.resolve():
        typer.echo(f"{LOCK_VARIABLE}={path.resolve()} puts it in force", err=True)


def _that_may_load(policy: "Policy") -> "dict[str, Distribution]":
    """Return the distributions of plugins that a policy admits without its lock, by name."""
    from latelier.kernel.trust.admission import admit
    from latelier.kernel.trust.discovery import discover
    from latelier.kernel.trust.entry_points import BUILT_IN

    return {
        each.distribution: each.entry_point.dist
        for each in discover()
        if each.distribution != BUILT_IN and not admit(each, policy) and each.entry_point.dist
    }


def _show_locked(plugins: "Fingerprints", as_json: bool) -> None:
    keys = ("distribution", "version", "files", "editable", "sha256")
    rows = [
        (name, each.version, len(each.files), each.editable, each.sha256)
        for name, each in plugins.items()
    ]
    if as_json:
        show_json([dict(zip(keys, row)) for row in rows])
    else:
        words = {True: "yes", False: "no"}
        show_columns(
            [key.upper() for key in keys], [(*row[:3], words[row[3]], row[4]) for row in rows]
        )


def _row(candidate: "Candidate", policy: "Policy", lock: "Fingerprints | None") -> dict[str, Any]:
    from latelier.kernel.trust.admission import admit

    refusal = admit(candidate, policy, lock)
    if refusal is None:
        return {**_metadata(candidate), "state": "installed", "cause": "", "fix": ""}
    return {**_metadata(candidate), **asdict(refusal)}


def _show_switched(called: "Sequence[Candidate]", as_json: bool, *, disabled: bool) -> None:
    """Show what became of plugins that were switched; exit with 1 if the switch has no effect."""
    from latelier.kernel.trust.config_file import read_policy
    from latelier.kernel.trust.lock import read_lock_in_force
    from latelier.kernel.trust.policy import DENY_VARIABLE

    policy = read_policy()
    lock = read_lock_in_force(policy)
    rows = [_row(candidate, policy, lock) for candidate in called]
    if as_json:
        show_json(rows)
    unmoved = [row for row in rows if (row["state"] == "disabled") != disabled]
    for row in rows:
        if row not in unmoved and not as_json:
            show_line(f"{row['id']}: {row['state']}")
    for row in unmoved:
        why = f"{DENY_VARIABLE} is set, and it alone counts then; put it there"
        stays = f"stays enabled: {why}"
        if not disabled:
            stays = f"stays disabled: {row['cause']}; {row['fix']}"
        typer.echo(f"warning: {row['id']} {stays}", err=True)
    raise typer.Exit(1 if unmoved else 0)


def _normalised(names: Sequence[str]) -> list[str]:
    from latelier.kernel.trust.entry_points import normalize_entry

    return [normalize_entry(name) for name in names]


def _called(names: Sequence[str], known: Sequence[str] = ()) -> "list[Candidate]":
    """Return the installed candidates that are called by id or distribution; all for no names.

    Args:
        names: of plugins.
        known: what else may be called, although nothing installed has that name.

    Raises:
        UnknownNameError: a name that nothing has.
    """
    from latelier.contracts.errors import UnknownNameError, suggestion
    from latelier.kernel.trust.discovery import discover

    found = discover()
    if not names:
        return found
    all_known = {*known, *(name for each in found for name in (each.id, each.distribution))}
    wanted = set(_normalised(names))
    for unknown in sorted(wanted - all_known):
        hint = suggestion(unknown, all_known)
        raise UnknownNameError(f"no plugin '{unknown}' is installed. {hint}")
    return [each for each in found if wanted & {each.id, each.distribution}]


def _metadata(candidate: "Candidate") -> dict[str, Any]:
    return {
        "id": candidate.id,
        "distribution": candidate.distribution,
        "version": candidate.version,
        "group": candidate.entry_point.group,
        "entry_point": candidate.entry_point.value,
    }


def _about(candidate: "Candidate") -> dict[str, Any]:
    distribution = candidate.entry_point.dist
    if distribution is None:
        return {"summary": None, "requires": []}
    requires = distribution.requires or []
    return {
        "summary": distribution.metadata["Summary"],
        "requires": sorted(each for each in requires if "extra ==" not in each),
    }
