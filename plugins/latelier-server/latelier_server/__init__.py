"""An HTTP server for latelier.

app.py               `create_app`: routes and middleware
settings.py          what the server is told when it starts
command.py           `latelier serve`
options.py           its options, which commands of plugins can have too
access/              who may call: keys, hosts and origins, rates, sizes of bodies
models/              the models that are served, loaded when they are needed
jobs/                requests on their way through an engine
gallery/             pictures on disk
api/ openai/ a1111/  three ways to ask for pictures: our own, and those of existing clients
operations/          logs, metrics, health, and ending without losing a job
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latelier_server.app import create_app
    from latelier_server.settings import Limits, Settings

__all__ = ["Limits", "Settings", "create_app"]

_MODULES = {"create_app": "app", "Settings": "settings", "Limits": "settings"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is used: `latelier --help` needs none of them."""
    if name in _MODULES:
        return getattr(import_module(f"latelier_server.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'latelier_server' has no attribute '{name}'")
