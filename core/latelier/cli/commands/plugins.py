"""`latelier plugins`: create, list, examine, enable, disable and lock plugins."""

from dataclasses import asdict
from typing import Annotated

import typer

from latelier.cli.commands.new_plugin import new
from latelier.cli.commands.plugin_lock import lock
from latelier.cli.commands.plugin_switches import disable, enable
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

app = LightTyper(help="Create, list, examine, enable, disable and lock plugins.")

Seconds = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="Time limit for the import of a plugin.")
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the installed plugins from their metadata. No plugin is imported."""
    from latelier.cli.doctor.installed import find_installed, state_rows

    rows = state_rows(find_installed([]))
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
    """Show the metadata, state and components of one plugin."""
    from latelier.cli.doctor.examination import examine
    from latelier.cli.doctor.installed import distribution_row, find_installed, metadata_row

    candidates = find_installed([name])
    rows = [
        {**metadata_row(candidate), **distribution_row(candidate), **asdict(finding)}
        for candidate, finding in zip(candidates, examine(candidates, timeout), strict=True)
    ]
    if as_json:
        show_json(rows)
        return
    for row in rows:
        lists = {key: "\n  ".join(["", *row[key]]) for key in ("requires", "components")}
        shown = {**row, **lists, "seconds": _milliseconds(row["seconds"]), "severity": None}
        show_fields(list(shown.items()))


@app.command()
def doctor(
    names: Annotated[
        list[str] | None, typer.Argument(help="Plugins to examine. By default all.")
    ] = None,
    timeout: Seconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Examine plugins, each in a process of its own.

    Report what is wrong and how to fix it. An import of more than 0.25 s is slow: every command
    that needs plugins waits for it.

    Exit status: 0 if nothing is wrong, 1 for warnings, 2 if a plugin does not work.
    """
    from latelier.cli.doctor.examination import diagnose, find_missing
    from latelier.cli.doctor.installed import find_installed

    candidates = find_installed(names or [])
    findings = [*diagnose(candidates, timeout), *([] if names else find_missing(candidates))]
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        rows = [(f.id, f.version, f.state, _milliseconds(f.seconds)) for f in findings]
        show_columns(("PLUGIN", "VERSION", "STATE", "IMPORT"), rows)
        for finding in findings:
            if finding.cause:
                show_line(f"\n{finding.id}: {finding.cause}\n  fix: {finding.fix}")
    raise typer.Exit(max((finding.severity for finding in findings), default=0))


app.command()(new)
app.command()(disable)
app.command()(enable)
app.command()(lock)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
