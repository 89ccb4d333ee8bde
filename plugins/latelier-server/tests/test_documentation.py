"""docs/server.md names every route of our own API, and every option."""

import re
from pathlib import Path

from latelier.cli.support.lazy import LightTyper
from typer.main import get_command

from latelier_server import Settings, create_app
from latelier_server.command import serve
from latelier_server.operations.health import routes

PAGE = (Path(__file__).parents[3] / "docs" / "server.md").read_text()


def test_every_route_is_on_the_page():
    app = create_app(Settings(models=("emoji-scenes",)))
    own = next(route for route in app.routes if getattr(route, "path", "") == "/api")
    calls = re.findall(r"^\| `(\w+) (/api/\S*)`", PAGE, flags=re.M)
    documented = {(method, path.replace("NAME", "N").replace("ID", "I")) for method, path in calls}
    served = {
        (method, f"/api{route.path}".replace("{name:path}", "N").replace("{id}", "I"))
        for route in own.routes
        for method in route.methods - {"HEAD"}
    }
    served = {(method, re.sub(r"{(index|number):int}", "0", path)) for method, path in served}
    assert documented == served
    assert all(f"`{route.path}`" in PAGE for route in routes)


def test_every_option_on_the_page_exists():
    app = LightTyper()
    app.command("serve")(serve)
    known = {name for option in get_command(app).params for name in option.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= known | {"--help"}
