"""`latelier.lock`: the plugins that may load, by version and by the hashes of their files.

While a lock is in force (`LATELIER_LOCK`, or `lock` in [plugins] of config.toml), every plugin is
compared with it before anything of it is imported. A plugin that differs, or that the lock does not
list, is not loaded.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidConfigError, PluginError
from latelier.contracts.messages import format_error
from latelier.io.atomic import write_bytes
from latelier.kernel.trust.fingerprint import Fingerprint, Fingerprints, fingerprint

FORMAT = 1

_MAX_LISTED = 3
"""Most changes that an error lists; it counts the others."""


def fingerprint_all(distributions: Mapping[str, Distribution]) -> dict[str, Fingerprint]:
    """Return the fingerprints of distributions by their names.

    Raises:
        PluginError: a file of a distribution cannot be read.
    """
    fingerprints = {}
    for name in sorted(distributions):
        try:
            fingerprints[name] = fingerprint(distributions[name])
        except OSError as error:
            raise PluginError(f"the files of {name} cannot be read: {error}") from None
    return fingerprints


def write_lock(path: Path, plugins: Fingerprints) -> None:
    """Write a lock atomically.

    Raises:
        OSError: the file cannot be written.
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
    """Return the fingerprints in a lock by the names of distributions.

    Raises:
        InvalidConfigError: the file is missing, cannot be read, or is of another format.
    """
    command = f"`latelier plugins lock --output {path}`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["lock"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}, found {content['lock']!r}")
        return {name: _parse_entry(values) for name, values in content["plugins"].items()}
    except FileNotFoundError:
        raise InvalidConfigError(f"{path}: lock not found; {command} writes one") from None
    except OSError as error:
        raise InvalidConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidConfigError(
            f"{path}: invalid lock ({format_error(error)}); delete it and run {command}"
        ) from None


def difference(lock: Fingerprints, name: str, distribution: Distribution | None) -> str | None:
    """Return how an installed distribution differs from its entry in a lock, or None."""
    if name not in lock:
        return "is not in the lock"
    if distribution is None:
        return "has no files to compare with the lock"
    then = lock[name]
    try:
        now = fingerprint(distribution)
    except OSError as error:
        return f"cannot be read: {error}"
    if then.version != now.version:
        return f"was locked at version {then.version}, is at {now.version}"
    changes = list(_changes(then.files, now.files))
    more = f" and {len(changes) - _MAX_LISTED} more" if len(changes) > _MAX_LISTED else ""
    return f"{', '.join(changes[:_MAX_LISTED])}{more}, since it was locked" if changes else None


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({*then, *now}):
        if path not in now:
            yield f"'{path}' is gone"
        elif path not in then:
            yield f"'{path}' was added"
        elif then[path] != now[path]:
            yield f"'{path}' was changed"


def _parse_entry(values: Any) -> Fingerprint:
    version, editable, files = values["version"], values["editable"], values["files"]
    if not all(_are_strings(each) for each in ([version], files, files.values())):
        raise ValueError("expected a version, and hashes by path, for each plugin")
    return Fingerprint(version, bool(editable), files)


def _are_strings(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
