"""The transformers library, imported only when an encoder is built."""

from importlib import import_module
from typing import Any

from latelier.contracts.errors import PluginError


def transformers() -> Any:
    """Return the module of the library.

    Raises:
        PluginError: the library cannot be imported.
    """
    try:
        return import_module("transformers")
    except ImportError as error:
        raise PluginError(
            f"latelier-transformers cannot import transformers ({error}): "
            "pip install 'transformers>=5.6'"
        ) from error
