"""The folders of a user. A process may have no home: containers run under any user id."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs

COMPILED = "compiled"
"""Name of the cache of compiled code."""


def config_folder() -> Path | None:
    """Return the folder of the user's configuration, which may not exist; None without a home.

    `XDG_CONFIG_HOME` names its parent.
    """
    return _locate(platformdirs.user_config_dir)


def cache_folder(name: str) -> Path:
    """Return the folder `name` of the user's caches, made if it is missing.

    Without a home, or with one that cannot be written, it is a temporary folder that is removed
    when the process ends. `XDG_CACHE_HOME` names the parent of all caches.
    """
    caches = _locate(platformdirs.user_cache_dir)
    if caches is not None:
        folder = caches / name
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    folder = Path(_temporary_caches().name, name)
    folder.mkdir(exist_ok=True)
    return folder


@cache
def _temporary_caches() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="latelier-", ignore_cleanup_errors=True)


def expand_home(path: str | Path) -> Path:
    """Return `path` with a home for a leading `~`; unchanged, not an error, without a home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises RuntimeError


def _locate(user_folder: Callable[..., str]) -> Path | None:
    try:
        folder = Path(user_folder("latelier", appauthor=False))
    except RuntimeError:  # no home
        return None
    return folder if folder.is_absolute() else None  # older releases leave the ~ without a home
