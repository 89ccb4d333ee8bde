"""Databases of pictures: their names, and a thumbnail of each picture."""

import asyncio
import io

from latelier.contracts.databases import Database
from latelier.contracts.errors import UnknownNameError
from latelier.kernel.default import default_atelier
from latelier.pipeline.databases import open_database
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.errors import ServerError, not_found

THUMBNAIL = 256
"""Most pixels of a side."""


async def get_database(request: Request) -> Response:
    """Return the entries of a database, in the order of their numbers."""
    database = await asyncio.to_thread(_open, request)
    entries = [{"name": entry.name, "synonyms": list(entry.synonyms)} for entry in database.entries]
    return JSONResponse({"entries": entries})


async def entry_picture(request: Request) -> Response:
    """Return what the entry of a number shows: a small PNG with transparency."""
    data = await asyncio.to_thread(_draw, request)
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(data, media_type="image/png", headers=headers)


def _open(request: Request) -> Database:
    try:
        return open_database(request.path_params["name"], default_atelier())
    except UnknownNameError as error:
        raise ServerError(404, str(error), "database_not_found") from None


def _draw(request: Request) -> bytes:
    database, number = _open(request), request.path_params["number"]
    if number >= len(database.entries):
        raise not_found("entry")
    picture = database.picture(number).copy()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


routes = [
    Route("/databases/{name:path}/pictures/{number:int}", entry_picture),
    Route("/databases/{name:path}", get_database),
]
