"""`latelier studio`: a page in the browser."""

from pathlib import Path
from typing import Annotated

import typer


def studio(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]")] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535)] = 7860,
    key_file: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    device: Annotated[str, typer.Option(metavar="NAME")] = "auto",
    precision: Annotated[str, typer.Option(metavar="NAME")] = "auto",
    gallery: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser")] = True,
) -> None:
    """Make pictures on a page in the browser.

    MODEL is a name, a folder, or owner/name on the hub; the first is the default. Without any, all
    models on this machine are served. The page has the API of `latelier serve` under it.

    Example: latelier studio scenes

    Args:
        models: names, folders, or owner/name on the hub.
        host: address to listen on. One that other machines reach needs a key.
        port: of TCP; 0 for any that is free.
        key_file: file of keys, one for each person. The browser asks for it as a password.
        device: auto, cpu, cuda and so on.
        precision: auto, float32, bfloat16 and so on.
        gallery: folder in which pictures are kept. By default it is one of the user's.
        browser: open the page in the browser.
    """
    import os
    import webbrowser

    from latelier_server import Settings, create_app
    from latelier_server.access.keys import read_keys
    from latelier_server.access.origins import check_binding
    from latelier_server.operations.logs import set_up_logs
    from latelier_server.operations.process import run_app

    from latelier_studio.page import routes

    keys = read_keys(key_file, os.environ)
    check_binding(host, has_keys=bool(keys))
    settings = Settings(
        models=tuple(models or ()),
        device=device,
        dtype=precision,
        keys=keys,
        gallery=gallery or default_gallery(),
    )
    app = create_app(settings, routes)
    set_up_logs("warning")

    def announce(url: str) -> None:
        typer.echo(f"The studio is at {url} (Ctrl-C ends it)")
        if browser:
            webbrowser.open(url)

    run_app(app, host, port, drain_seconds=10, on_start=announce)


def default_gallery() -> Path:
    """Return the folder of the user's pictures."""
    import platformdirs

    return Path(platformdirs.user_data_dir("latelier", appauthor=False)) / "gallery"
