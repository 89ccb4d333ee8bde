"""The plugins of the libraries that latelier imports."""

import os
from importlib.metadata import entry_points

_SWITCHES = {
    "pydantic": ("PYDANTIC_DISABLE_PLUGINS", "__all__"),
    "torch.backends": ("TORCH_DEVICE_BACKEND_AUTOLOAD", "0"),
}
"""Group of entry points -> the variable that disables these plugins, and its value."""


def skip_absent_plugins() -> None:
    """Import pydantic and torch without their plugins if none are installed or can be read.

    Each of the two reads the entry points of all distributions when it is imported. That costs
    milliseconds, and fails if those of any one are damaged. Child processes inherit the setting.
    """
    try:
        groups = entry_points().groups
    except Exception:
        groups = set()
    for group in _SWITCHES.keys() - groups:
        os.environ.setdefault(*_SWITCHES[group])
