"""`latelier evaluate`: measure models and pictures."""

from latelier.cli.commands.evaluate.compare import compare
from latelier.cli.commands.evaluate.cost import cost
from latelier.cli.commands.evaluate.merge import merge
from latelier.cli.commands.evaluate.pictures import pictures
from latelier.cli.commands.evaluate.reference import reference
from latelier.cli.commands.evaluate.run import run
from latelier.cli.commands.evaluate.votes import votes
from latelier.cli.support.lazy import LightTyper

app = LightTyper(help="Measure models and pictures.")


@app.callback()
def evaluate() -> None:
    """Measure models and pictures as the paper's tables do."""


for command in (run, pictures, reference, merge, compare, votes, cost):
    app.command()(command)
