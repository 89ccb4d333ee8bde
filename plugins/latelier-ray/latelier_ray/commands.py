"""`latelier ray`: what exists in latelier, on many processes and machines."""

import typer

from latelier_ray.caching.command import cache
from latelier_ray.evaluation.command import evaluate
from latelier_ray.serving.command import serve
from latelier_ray.simulation.command import simulate, tune
from latelier_ray.training.command import train

app = typer.Typer(help="Train, evaluate, cache and serve on many processes and machines.")

for command in (train, evaluate, cache, serve, simulate, tune):
    app.command()(command)
