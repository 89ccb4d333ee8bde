"""`latelier ray`: what exists in latelier, on many processes and machines."""

import typer

from latelier_ray.serving.command import serve

app = typer.Typer(help="Evaluate, cache and serve on many processes and machines.")
app.command()(serve)
