"""The gallery: list, search, star, delete."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.api.views import describe_entry
from latelier_server.bodies import read_json
from latelier_server.errors import ServerError, field_mistake
from latelier_server.gallery.gallery import MAX_PAGE, Gallery

PAGE = 50


async def list_pictures(request: Request) -> Response:
    """Return a page of pictures, the newest first: `search`, `starred=1`, `before=ID`, `most`."""
    query = request.query_params
    most = query.get("most", str(PAGE))
    if not (most.isdecimal() and len(most) < 4 and 1 <= int(most) <= MAX_PAGE):
        raise field_mistake("most", f"expected 1 to {MAX_PAGE}")
    found = await asyncio.to_thread(
        _gallery(request).list_entries,
        request.state.client.owner,
        search=query.get("search", ""),
        starred=query.get("starred") == "1",
        before=query.get("before", ""),
        most=int(most),
    )
    following = found[-1].id if len(found) == int(most) else None
    return JSONResponse({"pictures": [describe_entry(each) for each in found], "next": following})


async def get_picture(request: Request) -> Response:
    """Return what is known of a picture."""
    entry = await asyncio.to_thread(_gallery(request).get, *_place(request))
    return JSONResponse(describe_entry(entry))


async def picture_file(request: Request) -> Response:
    """Return the file of a picture, a PNG with its provenance. It never changes."""
    data = await asyncio.to_thread(_gallery(request).read, *_place(request))
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(data, media_type="image/png", headers=headers)


async def star_picture(request: Request) -> Response:
    """Mark a picture or remove its mark: {"starred": true}."""
    starred = (await read_json(request)).get("starred")
    if not isinstance(starred, bool):
        raise field_mistake("starred", "expected true or false")
    entry = await asyncio.to_thread(_gallery(request).star, *_place(request), starred)
    return JSONResponse(describe_entry(entry))


async def delete_picture(request: Request) -> Response:
    """Delete a picture."""
    await asyncio.to_thread(_gallery(request).delete, *_place(request))
    return Response(status_code=204)


def _gallery(request: Request) -> Gallery:
    gallery: Gallery | None = request.app.state.runner.gallery
    if gallery is None:
        raise ServerError(404, "this server keeps no pictures", "no_gallery")
    return gallery


def _place(request: Request) -> tuple[str, str]:
    return request.state.client.owner, request.path_params["id"]


routes = [
    Route("/gallery", list_pictures),
    Route("/gallery/{id}", get_picture),
    Route("/gallery/{id}", star_picture, methods=["PATCH"]),
    Route("/gallery/{id}", delete_picture, methods=["DELETE"]),
    Route("/gallery/{id}/picture", picture_file),
]
