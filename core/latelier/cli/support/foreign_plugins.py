"""The plugins of the libraries that latelier imports."""

import os
from importlib.metadata import distributions, entry_points

_SWITCHES = {
    "pydantic": ("PYDANTIC_DISABLE_PLUGINS", "__all__"),
    "torch.backends": ("TORCH_DEVICE_BACKEND_AUTOLOAD", "0"),
}
"""Group of entry points -> the variable that disables these plugins, and its value."""


def skip_absent_plugins() -> None:
    """Import pydantic and torch without their plugins if none are installed or can be read.

    Each of the two reads the entry points of all distributions when it is imported. That takes
    milliseconds, and fails if those of any one are damaged. Child processes inherit the setting.
    """
    try:
        found = "\n".join(each.read_text("entry_points.txt") or "" for each in distributions())
        groups = {group for group in _SWITCHES if f"[{group}]" in found}
        if groups:
            entry_points()  # raises what the libraries would raise
    except Exception:
        groups = set()
    for group in _SWITCHES.keys() - groups:
        os.environ.setdefault(*_SWITCHES[group])
