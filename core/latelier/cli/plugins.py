"""`latelier plugins`: what is installed, and whether it works."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.lazy import LightCommand, new_app
from latelier.cli.output import show_columns, show_fields, show_json

if TYPE_CHECKING:
    from latelier.kernel.discovery import Candidate

app = new_app(help="List, show and examine plugins.")

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Seconds = Annotated[
    float, typer.Option(min=0.1, help="Seconds that a plugin may take to be imported.")
]


@app.command("list", cls=LightCommand)
def list_(as_json: AsJson = False) -> None:
    """List what is installed, from metadata alone: no plugin is imported."""
    from latelier.kernel.discovery import discover
    from latelier.kernel.policy import read_policy

    policy = read_policy()
    rows = []
    for candidate in discover():
        state, cause, fix = candidate.obstacle(policy) or ("installed", "", "")
        rows.append({**_metadata(candidate), "state": state, "cause": cause, "fix": fix})
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
    from latelier.cli.doctor import examine

    candidates = _called([name])
    about = _about(candidates[0].distribution)
    rows = [
        {**_metadata(candidate), **about, **asdict(finding)}
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

    Exit status: 0 where nothing is wrong, 1 for warnings, 2 where a plugin does not work.
    """
    from latelier.cli.doctor import diagnose

    findings = diagnose(_called(names or []), timeout)
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
                typer.echo(f"\n{finding.id}: {finding.cause}\n  fix: {finding.fix}")
    raise typer.Exit(max((finding.severity for finding in findings), default=0))


def _called(names: Sequence[str]) -> "list[Candidate]":
    """Return the installed candidates that are called by id or distribution; all for no names.

    Raises:
        UnknownNameError: a name that nothing installed has.
    """
    from latelier.kernel.discovery import discover
    from latelier.kernel.errors import UnknownNameError, suggestion
    from latelier.kernel.policy import normalised

    found = discover()
    if not names:
        return found
    known = {name for each in found for name in (each.id, each.distribution)}
    wanted = set()
    for name in names:
        distribution, colon, entry = name.partition(":")
        id_ = normalised(distribution) + colon + entry
        if id_ not in known:
            raise UnknownNameError(f"no plugin '{name}' is installed. {suggestion(name, known)}")
        wanted.add(id_)
    return [each for each in found if wanted & {each.id, each.distribution}]


def _metadata(candidate: "Candidate") -> dict[str, Any]:
    return {
        "id": candidate.id,
        "distribution": candidate.distribution,
        "version": candidate.version,
        "group": candidate.entry_point.group,
        "entry_point": candidate.entry_point.value,
    }


def _about(distribution: str) -> dict[str, Any]:
    from importlib.metadata import metadata

    found = metadata(distribution)
    requires = found.get_all("Requires-Dist") or []
    return {
        "summary": found["Summary"],
        "requires": sorted(each for each in requires if "extra ==" not in each),
    }
