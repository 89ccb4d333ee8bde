"""`latelier databases`: list the databases of reference pictures, and show the names in one."""

import textwrap
from typing import Annotated, Any

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

app = LightTyper(help="List databases of reference pictures, and show their names.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the installed databases with the number of their pictures and the plugin of each."""
    from latelier.cli.support.application import load_atelier
    from latelier.pipeline.databases import open_database

    atelier = load_atelier()
    rows: list[dict[str, Any]] = [
        {
            "name": spec.name,
            "id": spec.id,
            "version": spec.version,
            "pictures": len(open_database(spec.id, atelier).entries),
        }
        for spec in atelier.databases.specs()
    ]
    if as_json:
        show_json(rows)
        return
    show_columns(
        ("DATABASE", "PICTURES", "FROM"),
        [(row["name"], row["pictures"], row["id"].partition("/")[0]) for row in rows],
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A database.")],
    as_json: AsJson = False,
) -> None:
    """Show the names in a database, with synonyms, tags and groups if JSON is printed."""
    from dataclasses import asdict

    from latelier.cli.support.application import load_atelier
    from latelier.pipeline.databases import open_database

    atelier = load_atelier()
    spec = atelier.databases.spec(name)
    entries = open_database(spec.id, atelier).entries
    if as_json:
        show_json([{"number": number, **asdict(each)} for number, each in enumerate(entries)])
        return
    show_fields([("database", spec.id), ("version", spec.version)])
    show_line(f"\n{len(entries)} names, numbered from 0")
    names = ", ".join(each.name for each in entries)
    show_line(textwrap.indent(textwrap.fill(names, 98), "  "))
