"""`latelier ray`: what exists in latelier, on many processes and machines."""

import typer

app = typer.Typer(help="Evaluate and cache on many processes and machines.")
