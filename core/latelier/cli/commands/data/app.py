"""`latelier data`: prepare and check data sets, and look at the built-in one."""

from latelier.cli.commands.data.cache import cache
from latelier.cli.commands.data.check import check
from latelier.cli.commands.data.index import index
from latelier.cli.commands.data.preview import preview
from latelier.cli.support.lazy import LightTyper

app = LightTyper(help="Prepare, check and look at data sets.")


@app.callback()
def data() -> None:
    """Prepare, check and look at data sets."""


for command in (index, check, cache, preview):
    app.command()(command)
