"""Which plugins may be imported, and which of two claimants a bare name means.

`LATELIER_PLUGINS_ALLOW` and `LATELIER_PLUGINS_DENY` hold comma-separated 'distribution' or
'distribution:entry'; so do `allow` and `deny` of the table [plugins] in config.toml, whose
[aliases] read "conditioner.text" = "distribution/text". `LATELIER_LOCK`, or `lock` in [plugins],
is the path of a lock (see `lock`). They act before anything is imported.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from latelier.contracts.errors import InvalidConfigError
from latelier.kernel.trust.config_file import config_file, read_settings
from latelier.kernel.trust.entry_points import BUILT_IN, normalize_entry

if TYPE_CHECKING:
    from latelier.kernel.trust.fingerprint import Fingerprint


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
        from latelier.kernel.trust.lock import read_lock

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


def _names(variable: str | None, setting: list[str] | None) -> frozenset[str] | None:
    if variable is not None:
        setting = [name.strip() for name in variable.split(",") if name.strip()]
    return None if setting is None else frozenset(normalize_entry(name) for name in setting)


def _lock(variable: str | None, setting: object, path: Path) -> Path | None:
    """Return the path of a lock; one of config.toml begins at its folder. '' is none."""
    if variable is not None:
        return Path(variable).expanduser() if variable else None
    if setting is None:
        return None
    if not isinstance(setting, str):
        raise InvalidConfigError(f"{path}: lock is the path of a lock, not {setting!r}")
    return path.parent / Path(setting).expanduser() if setting else None
