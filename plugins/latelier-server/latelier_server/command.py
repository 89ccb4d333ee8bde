"""`latelier serve`: serve models over HTTP."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]")] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535)] = 7860,
    key_file: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    allowed_host: Annotated[list[str] | None, typer.Option(metavar="NAME")] = None,
    cors: Annotated[list[str] | None, typer.Option(metavar="ORIGIN")] = None,
    without_key: Annotated[bool, typer.Option("--without-key")] = False,
    rows: Annotated[int, typer.Option(min=1)] = 32,
    active: Annotated[int, typer.Option(min=1)] = 32,
    queue: Annotated[int, typer.Option(min=1)] = 256,
    exact: Annotated[bool, typer.Option("--exact")] = False,
    device: Annotated[str, typer.Option(metavar="NAME")] = "auto",
    precision: Annotated[str, typer.Option(metavar="NAME")] = "auto",
    memory: Annotated[float | None, typer.Option(min=0.001, metavar="GIB")] = None,
    gallery: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
    max_pictures: Annotated[int, typer.Option(min=1)] = 10,
    max_steps: Annotated[int, typer.Option(min=1)] = 200,
    max_pixels: Annotated[int, typer.Option(min=1)] = 2**22,
    max_seconds: Annotated[float, typer.Option(min=0.1)] = 600,
    rate: Annotated[int | None, typer.Option(min=1, metavar="STEPS")] = None,
    drain: Annotated[float, typer.Option(min=0, metavar="SECONDS")] = 60,
    log_level: Annotated[str, typer.Option(metavar="LEVEL")] = "info",
) -> None:
    """Serve models over HTTP, on this machine alone unless another address is given.

    MODEL is a name, a folder, or owner/name on the hub; the first is the default. Without any, all
    models on this machine are served. API keys are in a file, a line each, or in the variable
    LATELIER_SERVER_KEYS, separated by commas. SIGTERM lets the jobs end, and a second one does not.

    Example: latelier serve emoji-scenes --gallery pictures

    Args:
        models: names, folders, or owner/name on the hub.
        host: address to listen on.
        port: of TCP; 0 for any that is free.
        key_file: file of API keys, one for each client. Without keys everybody may call.
        allowed_host: name under which clients reach the server, besides localhost. Repeatable.
        cors: origin of a web page that may call, such as https://example.org. Repeatable.
        without_key: allow an address that other machines reach without a key.
        rows: most rows of a shared call of the denoiser.
        active: most jobs of a model that run at the same time.
        queue: most jobs of a model that wait.
        exact: give the same bits whatever runs beside a job.
        device: auto, cpu, cuda and so on.
        precision: auto, float32, bfloat16 and so on.
        memory: GiB of all loaded models together. The least recently used is unloaded.
        gallery: folder in which finished pictures are kept.
        max_pictures: most pictures of a request.
        max_steps: most sampling steps of a request.
        max_pixels: most pixels of a picture.
        max_seconds: seconds after which a job ends unfinished.
        rate: picture steps that a client may ask for in a minute.
        drain: seconds that jobs have after SIGTERM.
        log_level: debug, info, warning or error.
    """
    import os

    from latelier_server.access.keys import read_keys
    from latelier_server.access.origins import check_binding
    from latelier_server.app import create_app
    from latelier_server.operations.logs import set_up_logs
    from latelier_server.operations.process import run_app
    from latelier_server.settings import GIB, Limits, Settings

    keys = read_keys(key_file, os.environ)
    check_binding(host, has_keys=bool(keys) or without_key)
    settings = Settings(
        models=tuple(models or ()),
        device=device,
        dtype=precision,
        memory=None if memory is None else int(memory * GIB),
        rows=rows,
        active=active,
        queue=queue,
        exact=exact,
        keys=keys,
        hosts=tuple(allowed_host or ()),
        origins=tuple(cors or ()),
        gallery=gallery,
        limits=Limits(
            pictures=max_pictures,
            steps=max_steps,
            pixels=max_pixels,
            seconds=max_seconds,
            rate=rate,
        ),
    )
    app = create_app(settings)
    set_up_logs(log_level)
    run_app(app, host, port, drain_seconds=drain)
