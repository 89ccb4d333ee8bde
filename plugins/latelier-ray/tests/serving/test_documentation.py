"""The section on serving names options that exist, and every one of its own."""

import re
from pathlib import Path

from latelier.cli.support.lazy import DocumentedCommand, LightTyper
from latelier_server.command import serve as serve_alone
from typer.main import get_command

from latelier_ray.serving.command import serve

PAGE = (Path(__file__).parents[4] / "docs/scale.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## ", PAGE.partition("\n## Serving\n")[2], flags=re.M)[0]


def options_of(function):
    app = LightTyper()
    app.command("serve", cls=DocumentedCommand)(function)
    return {name for option in get_command(app).params for name in option.opts}


def test_the_options_of_the_section():
    named = set(re.findall(r"--[a-z][a-z-]+", SECTION))
    assert named <= options_of(serve)
    assert options_of(serve) - options_of(serve_alone) <= named
