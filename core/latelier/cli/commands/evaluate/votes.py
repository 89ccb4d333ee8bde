"""`latelier evaluate votes`: count what persons have answered on the page of a comparison."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.output import AsJson, show_columns, show_json


def votes(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="VOTES.json...", help="Files that the page has saved, one a person."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Count the votes of one or several persons, with the 95 % interval of each share.

    Pairs without a difference count for neither model, as if they had not been shown.
    """
    from latelier.evaluation.comparison_sheet.votes import count_preferences, read_votes

    read = read_votes(files)
    rows = count_preferences(read)
    if as_json:
        show_json([row.model_dump() for row in rows])
        return
    show_columns(
        ("MODEL", "PREFERRED", "OF", "SHARE", "95 % INTERVAL"),
        [
            (
                row.model,
                row.preferred,
                row.decided,
                "-" if row.share is None else f"{row.share:.1%}",
                "-" if row.low is None else f"{row.low:.1%} to {row.high:.1%}",
            )
            for row in rows
        ],
    )
    equal = sum(each.count(None) for each in read)
    answers = sum(len(each.votes) for each in read)
    typer.echo(f"no difference in {equal} of {answers} answers", err=True)
