"""The options of commands that serve models: `latelier serve`, and those of plugins."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, get_type_hints

import typer

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from latelier_server.settings import Settings


@dataclass(frozen=True)
class ServerOptions:
    """What a user tells a server on the command line.

    Attributes:
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

    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]")] = None
    host: Annotated[str, typer.Option(metavar="ADDRESS")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65_535)] = 7860
    key_file: Annotated[Path | None, typer.Option(metavar="FILE")] = None
    allowed_host: Annotated[list[str] | None, typer.Option(metavar="NAME")] = None
    cors: Annotated[list[str] | None, typer.Option(metavar="ORIGIN")] = None
    without_key: Annotated[bool, typer.Option("--without-key")] = False
    rows: Annotated[int, typer.Option(min=1)] = 32
    active: Annotated[int, typer.Option(min=1)] = 16
    queue: Annotated[int, typer.Option(min=1)] = 256
    exact: Annotated[bool, typer.Option("--exact")] = False
    device: Annotated[str, typer.Option(metavar="NAME")] = "auto"
    precision: Annotated[str, typer.Option(metavar="NAME")] = "auto"
    memory: Annotated[float | None, typer.Option(min=0.001, metavar="GIB")] = None
    gallery: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None
    max_pictures: Annotated[int, typer.Option(min=1)] = 10
    max_steps: Annotated[int, typer.Option(min=1)] = 200
    max_pixels: Annotated[int, typer.Option(min=1)] = 2**22
    max_seconds: Annotated[float, typer.Option(min=0.1)] = 600
    rate: Annotated[int | None, typer.Option(min=1, metavar="STEPS")] = None
    drain: Annotated[float, typer.Option(min=0, metavar="SECONDS")] = 60
    log_level: Annotated[str, typer.Option(metavar="LEVEL")] = "info"

    def settings(self) -> "Settings":
        """Return the settings of the server.

        Raises:
            LatelierError: the keys are invalid, missing for the address, or the address is in use.
        """
        import os

        from latelier_server.access.keys import read_keys
        from latelier_server.access.origins import check_binding
        from latelier_server.operations.process import check_address
        from latelier_server.settings import GIB, Limits, Settings

        keys = read_keys(self.key_file, os.environ)
        check_binding(self.host, has_keys=bool(keys) or self.without_key)
        check_address(self.host, self.port)
        return Settings(
            models=tuple(self.models or ()),
            device=self.device,
            dtype=self.precision,
            memory=None if self.memory is None else int(self.memory * GIB),
            rows=self.rows,
            active=self.active,
            queue=self.queue,
            exact=self.exact,
            keys=keys,
            hosts=tuple(self.allowed_host or ()),
            origins=tuple(self.cors or ()),
            gallery=self.gallery,
            limits=Limits(
                pictures=self.max_pictures,
                steps=self.max_steps,
                pixels=self.max_pixels,
                seconds=self.max_seconds,
                rate=self.rate,
            ),
        )

    def run(self, app: "Starlette") -> None:
        """Serve an application of `create_app` until the process is told to end."""
        from latelier_server.operations.logs import set_up_logs
        from latelier_server.operations.process import run_app

        set_up_logs(self.log_level)
        run_app(app, self.host, self.port, drain_seconds=self.drain)


def with_server_options(
    function: Callable[Concatenate[ServerOptions, ...], None],
) -> Callable[..., None]:
    """Return a command with the options of `ServerOptions`, and then those of a function.

    Args:
        function: takes the server's options as one value, and its own. Its docstring is the help of
            the command; those of its options are in `Args:`.
    """
    own = list(inspect.signature(function).parameters.values())[1:]

    def command(**values: Any) -> None:
        further = {each.name: values.pop(each.name) for each in own}
        function(ServerOptions(**values), **further)

    hints = get_type_hints(ServerOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=hints[each.name],
        )
        for each in fields(ServerOptions)
    ]
    further = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    signature = inspect.Signature([*shared, *further])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    command.__name__, command.__doc__ = function.__name__, _document(function)
    return command


def _document(function: Callable[..., None]) -> str:
    """Return the docstring of a function with the meanings of the server's options."""
    _, _, meanings = (inspect.getdoc(ServerOptions) or "").partition("Attributes:\n")
    text, _, own = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    return f"{text.rstrip()}\n\nArgs:\n{meanings.rstrip()}\n{own}"
