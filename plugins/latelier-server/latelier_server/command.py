"""`latelier serve`: serve models over HTTP."""

from latelier_server.options import ServerOptions, with_server_options


@with_server_options
def serve(options: ServerOptions) -> None:
    """Serve models over HTTP, on this machine alone unless another address is given.

    MODEL is a name, a folder, or owner/name on the hub; the first is the default. Without any, all
    models on this machine are served. API keys are in a file, a line each, or in the variable
    LATELIER_SERVER_KEYS, separated by commas. SIGTERM lets the jobs end, and a second one does not.

    Example: latelier serve emoji-scenes --gallery pictures
    """
    from latelier_server.app import create_app

    options.run(create_app(options.settings()))
