"""The plugins of the libraries that latelier imports."""

import os
from importlib.metadata import entry_points


def skip_damaged_plugins() -> None:
    """Import pydantic and torch without their plugins if entry points cannot be read.

    Each of the two reads the entry points of all distributions when it is imported, and fails if
    those of any one are damaged. Child processes inherit the setting.
    """
    try:
        entry_points(group="pydantic")
    except Exception:
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
