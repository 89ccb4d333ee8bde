"""Whether the server is up, and whether it takes requests."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def health(_: Request) -> Response:
    """Answer that the process is up."""
    return JSONResponse({"status": "up"})


async def ready(request: Request) -> Response:
    """Answer 200 once the default model is loaded and warm, and 503 while the server drains."""
    state = request.app.state
    if state.runner.is_draining:
        return JSONResponse({"status": "draining"}, 503)
    if not state.is_warm:
        return JSONResponse({"status": "loading"}, 503)
    return JSONResponse({"status": "ready"})


async def metrics(request: Request) -> Response:
    """Answer with the metrics for Prometheus."""
    data = request.app.state.runner.metrics.render()
    return Response(data, media_type="text/plain; version=0.0.4")


routes = [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]
