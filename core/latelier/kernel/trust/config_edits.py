"""Edits of the user's config.toml: the deny list and the allow list of plugins."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import tomlkit
from tomlkit.items import Table

from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import write_bytes
from latelier.io.file_lock import hold_lock
from latelier.kernel.trust.config_file import config_path, read_settings
from latelier.kernel.trust.entry_points import normalize_entry


def require_config_path() -> Path:
    """Return the path of config.toml, to be written.

    Raises:
        InvalidConfigError: the user has no home.
    """
    path = config_path()
    if path is None:
        raise InvalidConfigError(
            "there is no folder for config.toml: this user has no home; set XDG_CONFIG_HOME"
        )
    return path


def disable(path: Path, names: Iterable[str]) -> None:
    """Put names on the deny list of the config.toml at `path`.

    Raises:
        InvalidConfigError: the file cannot be read or written; it stays as it was.
    """

    def change(plugins: Table) -> None:
        _add_to(plugins, "deny", names)

    _edit(path, change)


def enable(path: Path, names: Iterable[str]) -> None:
    """Take names off the deny list at `path`, a distribution with its entries.

    If there is an allow list, put them on it.

    Raises:
        InvalidConfigError: the file cannot be read or written; it stays as it was.
    """
    names = list(names)

    def change(plugins: Table) -> None:
        denied = plugins.get("deny", [])
        for index in reversed(range(len(denied))):
            if _is_covered(normalize_entry(denied[index]), names):
                del denied[index]
        if "allow" in plugins:
            allowed = [normalize_entry(name) for name in plugins["allow"]]
            _add_to(plugins, "allow", [name for name in names if not _is_covered(name, allowed)])

    _edit(path, change)


def _edit(path: Path, change: Callable[[Table], None]) -> None:
    """Change the table [plugins] at `path`; comments and everything else stay.

    Another process that edits the file waits meanwhile, so that neither change is lost.
    """
    try:
        with hold_lock(path.parent):
            read_settings(path)  # refuses an invalid file
            before = path.read_bytes().decode() if path.exists() else ""
            document = tomlkit.parse(before)
            if "plugins" in document:
                change(document["plugins"])
            else:
                plugins = tomlkit.table()
                change(plugins)
                if plugins:
                    document["plugins"] = plugins
            after = tomlkit.dumps(document)
            if "\r\n" in before:
                after = "\r\n".join(after.splitlines()) + "\r\n"
            if after != before:
                write_bytes(path, after.encode())
    except OSError as error:
        raise InvalidConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _add_to(plugins: Table, key: str, names: Iterable[str]) -> None:
    listed = plugins.setdefault(key, [])
    known = [normalize_entry(name) for name in listed]
    listed.extend(name for name in names if name not in known)


def _is_covered(entry: str, names: Collection[str]) -> bool:
    """Return whether `entry`, or its distribution, is among `names`."""
    return entry in names or entry.partition(":")[0] in names
