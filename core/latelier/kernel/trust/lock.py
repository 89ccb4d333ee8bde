"""`latelier.lock`: the plugins that may load, by version and by the hashes of their files.

While a lock is in force (`LATELIER_LOCK`, or `lock` in [plugins] of config.toml) every plugin is
compared with it before anything of it is imported. What differs, or is not in it, is left out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidConfigError, PluginError, format_error
from latelier.io.atomic import write_bytes
from latelier.kernel.trust.fingerprint import Fingerprint, fingerprint

FORMAT = 1

_TOLD = 3

Locked = Mapping[str, Fingerprint]
"""Distribution -> its fingerprint when the lock was written."""


def locked(distributions: Mapping[str, Distribution]) -> dict[str, Fingerprint]:
    """Return the fingerprints of distributions by their names.

    Raises:
        PluginError: the files of one cannot be read.
    """
    found = {}
    for name in sorted(distributions):
        try:
            found[name] = fingerprint(distributions[name])
        except OSError as error:
            raise PluginError(f"the files of {name} cannot be read: {error}") from None
    return found


def write_lock(path: Path, plugins: Locked) -> None:
    """Write a lock, whole.

    Raises:
        OSError: it cannot be written.
    """
    entries = {
        name: {
            "version": each.version,
            "editable": each.editable,
            "files": dict(sorted(each.files.items())),
        }
        for name, each in sorted(plugins.items())
    }
    text = json.dumps({"lock": FORMAT, "plugins": entries}, indent=1) + "\n"
    write_bytes(path, text.encode())


def read_lock(path: Path) -> dict[str, Fingerprint]:
    """Return what a lock holds.

    Raises:
        InvalidConfigError: it is missing, cannot be read, or is of another format.
    """
    write = f"`latelier plugins lock --output {path}` writes it"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["lock"] != FORMAT:
            raise ValueError(f"it is of format {content['lock']!r}, this latelier reads {FORMAT}")
        return {name: _entry(values) for name, values in content["plugins"].items()}
    except FileNotFoundError:
        raise InvalidConfigError(f"{path}: there is no such lock; {write}") from None
    except OSError as error:
        raise InvalidConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidConfigError(
            f"{path}: this is no lock that can be read ({format_error(error)}); delete it, and "
            f"{write} anew"
        ) from None


def difference(plugins: Locked, name: str, distribution: Distribution | None) -> str | None:
    """Return what of a distribution is not as it was locked, or None."""
    if name not in plugins:
        return "is not in the lock"
    if distribution is None:
        return "has no files that could be compared with the lock"
    then = plugins[name]
    try:
        now = fingerprint(distribution)
    except OSError as error:
        return f"cannot be read: {error}"
    if then.version != now.version:
        return f"was of version {then.version} when it was locked, is of {now.version}"
    changes = list(_changes(then.files, now.files))
    more = f" and {len(changes) - _TOLD} more" if len(changes) > _TOLD else ""
    return f"{', '.join(changes[:_TOLD])}{more}, since it was locked" if changes else None


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({*then, *now}):
        if path not in now:
            yield f"'{path}' is gone"
        elif path not in then:
            yield f"'{path}' was added"
        elif then[path] != now[path]:
            yield f"'{path}' was changed"


def _entry(values: Any) -> Fingerprint:
    version, editable, files = values["version"], values["editable"], values["files"]
    if not all(_are_strings(each) for each in ([version], files, files.values())):
        raise ValueError("a version, and hashes by path, are wanted of each plugin")
    return Fingerprint(version, bool(editable), files)


def _are_strings(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
