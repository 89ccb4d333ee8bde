"""Which plugins may be imported, and which of two claimants a bare name means.

`LATELIER_PLUGINS_ALLOW` and `LATELIER_PLUGINS_DENY` hold comma-separated 'distribution' or
'distribution:entry'; so do `allow` and `deny` of the table [plugins] in config.toml, whose
[aliases] read "conditioner.text" = "distribution/text". `LATELIER_LOCK`, or `lock` in [plugins],
is the path of a lock (see `lock`). They act before anything is imported.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latelier.kernel.errors import InvalidConfigError, suggestion

if TYPE_CHECKING:
    from latelier.kernel.fingerprint import Fingerprint

BUILT_IN = "latelier"
ALLOW_VARIABLE = "LATELIER_PLUGINS_ALLOW"
DENY_VARIABLE = "LATELIER_PLUGINS_DENY"
LOCK_VARIABLE = "LATELIER_LOCK"


@dataclass(frozen=True)
class Policy:
    """allow: None for all. deny wins over allow. The built-ins are always allowed.

    lock: the path of the lock that is in force, if one is.
    by_variable: those of the environment's variables that it was made of.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    lock: Path | None = None
    by_variable: frozenset[str] = frozenset()

    @cached_property
    def locked(self) -> "Mapping[str, Fingerprint]":
        """What the lock holds, read when it is first asked for.

        Raises:
            InvalidConfigError: it cannot be read.
        """
        from latelier.kernel.lock import read_lock

        return read_lock(self.lock) if self.lock else {}

    def refusal(self, distribution: str, entry: str) -> str | None:
        """Return why an entry point may not be imported, or None."""
        names = {distribution, f"{distribution}:{entry}"}
        if distribution == BUILT_IN:
            return None
        if self.deny & names:
            return f"denied by name ({', '.join(sorted(self.deny & names))})"
        if self.allow is not None and not self.allow & names:
            return "not on the allow list"
        return None

    def remedy(self, distribution: str, entry: str) -> str:
        """Return what would let an entry point in that is refused."""
        id_ = f"{distribution}:{entry}"
        denied = bool(self.deny & {distribution, id_})
        variable = DENY_VARIABLE if denied else ALLOW_VARIABLE
        if variable in self.by_variable:
            return f"take it off {variable}" if denied else f"put it on {variable}"
        return f"`latelier plugins enable {distribution if distribution in self.deny else id_}`"

    def aliases_of(self, kind: str) -> dict[str, str]:
        """Return bare name -> id for one kind."""
        return {
            key.removeprefix(f"{kind}."): id_
            for key, id_ in self.aliases.items()
            if key.startswith(f"{kind}.")
        }


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of config.toml, whether or not it exists."""
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "latelier" / "config.toml"


def read_policy(environment: Mapping[str, str] = os.environ) -> Policy:
    """Return the policy of the environment and of config.toml; the environment wins.

    Raises:
        InvalidConfigError: config.toml cannot be read, or holds what it should not.
    """
    path = config_file(environment)
    plugins, aliases = read_settings(path)
    allow = _names(environment.get(ALLOW_VARIABLE), plugins.get("allow"))
    deny = _names(environment.get(DENY_VARIABLE), plugins.get("deny"))
    variables = {ALLOW_VARIABLE, DENY_VARIABLE, LOCK_VARIABLE} & environment.keys()
    lock = _lock(environment.get(LOCK_VARIABLE), plugins.get("lock"), path)
    return Policy(allow, deny or frozenset(), aliases, lock, frozenset(variables))


def read_settings(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the tables [plugins] and [aliases] of config.toml; empty where there is no file.

    Raises:
        InvalidConfigError: it cannot be read, or holds what it should not.
    """
    tables = _read_toml(path)
    plugins, aliases = tables.get("plugins", {}), tables.get("aliases", {})
    _check_table(path, tables, {"plugins", "aliases"})
    _check_table(path, plugins, {"allow", "deny", "lock"})
    for key in ("allow", "deny"):
        _check_names(path, plugins.get(key, []))
    _check_table(path, aliases)
    for alias, id_ in aliases.items():
        if not isinstance(id_, str):
            raise InvalidConfigError(
                f'{path}: an alias reads "kind.name" = "distribution/name", not {alias} = {id_!r}'
            )
    return plugins, aliases


def normalised(distribution: str) -> str:
    """Return a distribution's name as the package index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # a home may be /dev/null
        return {}
    except (OSError, ValueError) as error:
        raise InvalidConfigError(f"{path}: cannot be read: {error}") from None


def _check_table(path: Path, table: Any, known: set[str] | None = None) -> None:
    if not isinstance(table, dict):
        raise InvalidConfigError(f"{path}: expected a table, found {table!r}")
    for key in table:
        if known is not None and key not in known:
            raise InvalidConfigError(f"{path}: there is no '{key}'. {suggestion(key, known)}")


def _check_names(path: Path, names: object) -> None:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidConfigError(f"{path}: allow and deny are lists of names, not {names!r}")


def _names(variable: str | None, setting: list[str] | None) -> frozenset[str] | None:
    if variable is not None:
        setting = [name.strip() for name in variable.split(",") if name.strip()]
    return None if setting is None else frozenset(normalised_entry(name) for name in setting)


def normalised_entry(name: str) -> str:
    """Return 'distribution' or 'distribution:entry' with the distribution's name normalised."""
    distribution, colon, entry = name.partition(":")
    return normalised(distribution) + colon + entry


def _lock(variable: str | None, setting: object, path: Path) -> Path | None:
    """Return the path of a lock; one of config.toml begins at its folder. '' is none."""
    if variable is not None:
        return Path(variable).expanduser() if variable else None
    if setting is None:
        return None
    if not isinstance(setting, str):
        raise InvalidConfigError(f"{path}: lock is the path of a lock, not {setting!r}")
    return path.parent / Path(setting).expanduser() if setting else None
