"""The routes of the page: its files, and the widgets of plugins."""

from pathlib import Path

from latelier.contracts.errors import LatelierError
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).parent / "static"

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Content-Security-Policy of the page: it loads nothing from elsewhere."""


async def page(_request: Request) -> Response:
    """Return the page."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return FileResponse(FILES / "index.html", headers=headers)


async def list_widgets(_request: Request) -> Response:
    """Return the URL of the ES module for each `format` of an input that a plugin has one for."""
    return JSONResponse(find_widgets(default_atelier()))


async def widget_file(request: Request) -> Response:
    """Return the ES module of a conditioner."""
    id_ = "{distribution}/{name}".format(**request.path_params)
    try:
        path = default_atelier().conditioners.widget(id_)
    except LatelierError:
        path = None
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type="text/javascript")


def find_widgets(atelier: Atelier) -> dict[str, str]:
    """Return format -> URL for the conditioners that have a widget and an input with a format."""
    conditioners = atelier.conditioners
    specs = [spec for spec in conditioners.specs() if spec.widget is not None]
    formats = {spec.id: conditioners.input_schema(spec.id).get("format") for spec in specs}
    return {
        str(format_): f"/studio/widgets/{id_}.js" for id_, format_ in formats.items() if format_
    }


_files = [
    Route("/widgets", list_widgets),
    Route("/widgets/{distribution}/{name}.js", widget_file),
    Mount("/", StaticFiles(directory=FILES)),
]

routes = [Route("/", page), Mount("/studio", routes=_files)]
