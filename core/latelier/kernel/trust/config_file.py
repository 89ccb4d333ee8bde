"""Which plugins may be imported, and which of two claimants a bare name means.

`LATELIER_PLUGINS_ALLOW` and `LATELIER_PLUGINS_DENY` hold comma-separated 'distribution' or
'distribution:entry'; so do `allow` and `deny` of the table [plugins] in config.toml, whose
[aliases] read "conditioner.text" = "distribution/text". `LATELIER_LOCK`, or `lock` in [plugins],
is the path of a lock (see `lock`). They act before anything is imported.
"""

import json
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidConfigError, suggestion
from latelier.io.atomic import write_bytes
from latelier.kernel.trust.entry_points import normalize_entry


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of config.toml, whether or not it exists."""
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "latelier" / "config.toml"


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


_HEADER = re.compile(r"^[ \t]*\[[ \t]*plugins[ \t]*\][ \t]*(?:#[^\r\n]*)?(?=\r?$)", re.MULTILINE)

_NEXT_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)

_STRING_OR_COMMENT = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|#[^\n]*")


def disable(path: Path, names: Iterable[str]) -> None:
    """Put names on the deny list of the config.toml at `path`.

    Raises:
        InvalidConfigError: the file cannot be read, changed or written; it is as it was.
    """
    denied = _names(path, "deny")
    _write(path, {"deny": [*denied, *(each for each in names if each not in denied)]})


def enable(path: Path, names: Iterable[str]) -> None:
    """Take names off the deny list at `path`, a distribution's with its entries.

    Where there is an allow list, they are put on it.

    Raises:
        InvalidConfigError: as for `disable`.
    """
    names = list(names)
    denied = [each for each in _names(path, "deny") if not _is_one_of(each, names)]
    lists = {"deny": denied}
    if "allow" in read_settings(path)[0]:
        allowed = _names(path, "allow")
        lists["allow"] = [*allowed, *(each for each in names if not _is_one_of(each, allowed))]
    _write(path, lists)


def _is_one_of(entry: str, names: Collection[str]) -> bool:
    """Tell whether `entry`, or the distribution that it is of, is among `names`."""
    return entry in names or entry.partition(":")[0] in names


def _names(path: Path, key: str) -> list[str]:
    found = read_settings(path)[0].get(key, [])
    return list(dict.fromkeys(normalize_entry(name) for name in found))


def _write(path: Path, lists: dict[str, list[str]]) -> None:
    text = path.read_bytes().decode() if path.exists() else ""
    changed = text
    for key, names in lists.items():
        if names != tomllib.loads(changed).get("plugins", {}).get(key, []):
            changed = _with_list(changed, key, names)
    wanted = tomllib.loads(text)
    wanted["plugins"] = {**wanted.get("plugins", {}), **lists}
    if _parsed(changed) not in (wanted, _without_empty(wanted, tomllib.loads(text))):
        lines = " and ".join(f"{key} = {json.dumps(names)}" for key, names in lists.items())
        raise InvalidConfigError(
            f"{path}: [plugins] is written in a way that is not changed here; write there by hand: "
            f"{lines}"
        )
    if changed == text:
        return
    try:
        write_bytes(path, changed.encode())
    except OSError as error:
        raise InvalidConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _without_empty(wanted: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Return `wanted` without lists that are empty and were not there before."""
    former = before.get("plugins", {})
    plugins = {key: each for key, each in wanted["plugins"].items() if each or key in former}
    rest = {key: each for key, each in wanted.items() if key != "plugins"}
    return {**rest, "plugins": plugins} if plugins or "plugins" in before else rest


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _with_list(text: str, key: str, names: Iterable[str]) -> str:
    """Return the text with the list `key` of [plugins] replaced, or written where it was not."""
    line = f"{key} = {json.dumps(list(names), ensure_ascii=False)}"
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    header = _HEADER.search(text)
    if header is None:
        gap = end_of_line * (0 if not text else 1 if text.endswith("\n") else 2)
        return f"{text}{gap}[plugins]{end_of_line}{line}{end_of_line}"
    following = _NEXT_HEADER.search(text, header.end())
    end = following.start() if following else len(text)
    found = re.compile(rf"^[ \t]*{key}[ \t]*=[ \t]*(?=\[)", re.MULTILINE).search(
        text, header.end(), end
    )
    if found is None:
        return f"{text[: header.end()]}{end_of_line}{line}{text[header.end() :]}"
    return f"{text[: found.start()]}{line}{text[_end_of_list(text, found.end()) :]}"


def _end_of_list(text: str, start: int) -> int:
    """Return where the list that begins at `start` ends; brackets in strings do not count."""
    blanked = _STRING_OR_COMMENT.sub(lambda match: " " * len(match[0]), text[start:])
    closing = blanked.find("]")
    return len(text) if closing < 0 else start + closing + 1
