"""The user's config.toml: read into a policy, and edited.

`LATELIER_PLUGINS_ALLOW` and `LATELIER_PLUGINS_DENY` hold comma-separated 'distribution' or
'distribution:entry'; so do `allow` and `deny` of the table [plugins], whose [aliases] read
"conditioner.text" = "distribution/text". `LATELIER_LOCK`, or `lock` in [plugins], is the path of a
lock (see `lock`). All of them act before any plugin is imported.
"""

import os
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latelier.contracts.errors import InvalidConfigError, suggestion
from latelier.io.atomic import write_bytes
from latelier.io.file_lock import hold_lock
from latelier.io.user_folders import config_folder, expand_home
from latelier.kernel.trust.entry_points import normalize_entry
from latelier.kernel.trust.policy import ALLOW_VARIABLE, DENY_VARIABLE, LOCK_VARIABLE, Policy

if TYPE_CHECKING:
    from tomlkit.items import Table

_TABLES = {"plugins": {"allow", "deny", "lock"}, "aliases": None}
"""The tables of config.toml, and the keys of each; None for any."""


def config_path() -> Path | None:
    """Return the path of config.toml, which may not exist; None for a user without a home."""
    folder = config_folder()
    return None if folder is None else folder / "config.toml"


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


def read_policy(environment: Mapping[str, str] = os.environ, path: Path | None = None) -> Policy:
    """Return the policy of the environment and of config.toml. The environment wins.

    Args:
        environment: the variables.
        path: of config.toml; by default the user's.

    Raises:
        InvalidConfigError: config.toml cannot be read, or has an invalid value.
    """
    path = path or config_path()
    plugins, aliases = read_settings(path) if path is not None else ({}, {})
    allow = _read_names(environment.get(ALLOW_VARIABLE), plugins.get("allow"))
    deny = _read_names(environment.get(DENY_VARIABLE), plugins.get("deny"))
    lock = environment.get(LOCK_VARIABLE)
    if lock is None and path is not None and plugins.get("lock"):
        lock = str(path.parent / expand_home(plugins["lock"]))
    variables = {ALLOW_VARIABLE, DENY_VARIABLE, LOCK_VARIABLE} & environment.keys()
    return Policy(
        allow,
        deny or frozenset(),
        aliases,
        expand_home(lock) if lock else None,
        frozenset(variables),
    )


def read_settings(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the tables [plugins] and [aliases] of config.toml, empty if there is no file.

    Raises:
        InvalidConfigError: the file cannot be read, or has an unknown key or an invalid value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # a home may be /dev/null
        return {}, {}
    except (OSError, ValueError) as error:
        raise InvalidConfigError(f"{path}: cannot be read: {error}") from None
    _check_table(path, tables, _TABLES.keys())
    for name, keys in _TABLES.items():
        _check_table(path, tables.setdefault(name, {}), keys)
    plugins, aliases = tables["plugins"], tables["aliases"]
    _check_values(path, plugins, aliases)
    return plugins, aliases


def disable(path: Path, names: Iterable[str]) -> None:
    """Put names on the deny list of the config.toml at `path`.

    Raises:
        InvalidConfigError: the file cannot be read or written; it stays as it was.
    """

    def change(plugins: "Table") -> None:
        _add_to(plugins, "deny", names)

    _edit(path, change)


def enable(path: Path, names: Iterable[str]) -> None:
    """Take names off the deny list at `path`, a distribution with its entries.

    If there is an allow list, put them on it.

    Raises:
        InvalidConfigError: the file cannot be read or written; it stays as it was.
    """
    names = list(names)

    def change(plugins: "Table") -> None:
        denied = plugins.get("deny", [])
        for index in reversed(range(len(denied))):
            if _is_covered(normalize_entry(denied[index]), names):
                del denied[index]
        if "allow" in plugins:
            allowed = [normalize_entry(name) for name in plugins["allow"]]
            _add_to(plugins, "allow", [name for name in names if not _is_covered(name, allowed)])

    _edit(path, change)


def _edit(path: Path, change: "Callable[[Table], None]") -> None:
    """Change the table [plugins] at `path`; comments and everything else stay.

    Another process that edits the file waits meanwhile, so that neither change is lost.
    """
    import tomlkit  # only commands that edit need it

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


def _add_to(plugins: "Table", key: str, names: Iterable[str]) -> None:
    listed = plugins.setdefault(key, [])
    known = [normalize_entry(name) for name in listed]
    listed.extend(name for name in names if name not in known)


def _is_covered(entry: str, names: Collection[str]) -> bool:
    """Return whether `entry`, or its distribution, is among `names`."""
    return entry in names or entry.partition(":")[0] in names


def _read_names(variable: str | None, setting: list[str] | None) -> frozenset[str] | None:
    if variable is not None:
        setting = [name.strip() for name in variable.split(",") if name.strip()]
    return None if setting is None else frozenset(map(normalize_entry, setting))


def _check_table(path: Path, table: Any, keys: Collection[str] | None) -> None:
    if not isinstance(table, dict):
        raise InvalidConfigError(f"{path}: expected a table, found {table!r}")
    for key in table:
        if keys is not None and key not in keys:
            raise InvalidConfigError(f"{path}: there is no '{key}'. {suggestion(key, keys)}")


def _check_values(path: Path, plugins: Mapping[str, Any], aliases: Mapping[str, Any]) -> None:
    for key in ("allow", "deny"):
        names = plugins.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidConfigError(f"{path}: allow and deny are lists of names, not {names!r}")
    lock = plugins.get("lock", "")
    if not isinstance(lock, str):
        raise InvalidConfigError(f"{path}: lock is the path of a lock, not {lock!r}")
    for alias, id_ in aliases.items():
        if not isinstance(id_, str):
            raise InvalidConfigError(
                f'{path}: expected "kind.name" = "distribution/name", found {alias} = {id_!r}'
            )
