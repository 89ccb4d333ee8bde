"""The transformers library, imported when an encoder is built and not before."""

from importlib import import_module
from typing import Any

from latelier.contracts.errors import PluginError


def transformers() -> Any:
    """Return the library's module.

    Raises:
        PluginError: it cannot be imported; names the pip line.
    """
    try:
        return import_module("transformers")
    except ImportError as error:
        raise PluginError(
            f"latelier-transformers cannot import transformers ({error}): "
            "pip install 'transformers>=5.6'"
        ) from error
