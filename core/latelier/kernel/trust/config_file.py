"""The user's config.toml, read into a policy.

`LATELIER_PLUGINS_ALLOW` and `LATELIER_PLUGINS_DENY` hold comma-separated 'distribution' or
'distribution:entry'; so do `allow` and `deny` of the table [plugins], whose [aliases] read
"conditioner.text" = "distribution/text". `LATELIER_LOCK`, or `lock` in [plugins], is the path of a
lock (see `lock`). All of them act before any plugin is imported.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion
from latelier.io.user_folders import config_folder, expand_home
from latelier.kernel.trust.entry_points import normalize_entry
from latelier.kernel.trust.policy import ALLOW_VARIABLE, DENY_VARIABLE, LOCK_VARIABLE, Policy

_TABLES = {"plugins": {"allow", "deny", "lock"}, "aliases": None}
"""The tables of config.toml, and the keys of each; None for any."""


def config_path() -> Path | None:
    """Return the path of config.toml, which may not exist; None for a user without a home."""
    folder = config_folder()
    return None if folder is None else folder / "config.toml"


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
