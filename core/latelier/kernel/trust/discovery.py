"""Finding plugins by metadata alone: none of them is imported."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, EntryPoint, distributions

from latelier.kernel.trust.admission import latelier_requirement
from latelier.kernel.trust.entry_points import (
    BUILT_IN,
    COMMAND_GROUP,
    GROUP,
    GROUP_PREFIX,
    Candidate,
    is_command,
    normalize,
)

_log = logging.getLogger(__name__)


def discover(installed: Iterable[Distribution] | None = None) -> list[Candidate]:
    """Return all plugins, sorted by id. Of a distribution found twice the first counts.

    Args:
        installed: the distributions to look at; by default all that are installed.
    """
    return _discover(installed, (GROUP,))


def discover_commands(installed: Iterable[Distribution] | None = None) -> list[Candidate]:
    """Return the commands that plugins add to the command line, as `discover` does."""
    return _discover(installed, (COMMAND_GROUP,))


def discover_all(installed: Iterable[Distribution] | None = None) -> list[Candidate]:
    """Return all plugins and commands, as `discover` does."""
    return _discover(installed, (GROUP, COMMAND_GROUP))


def _discover(installed: Iterable[Distribution] | None, groups: Sequence[str]) -> list[Candidate]:
    first: dict[str, list[Candidate]] = {}
    for distribution in _installed() if installed is None else installed:
        candidates = _candidates_of(distribution, groups)
        if candidates:
            first.setdefault(candidates[0].distribution, candidates)
    return sorted(
        (candidate for candidates in first.values() for candidate in candidates),
        key=lambda candidate: (candidate.id, candidate.entry_point.group),
    )


def _installed() -> Iterator[Distribution]:
    """Yield the distributions that can be found: a damaged folder must not stop the host."""
    try:
        yield from distributions()
    except Exception as error:
        _log.warning("the installed distributions cannot all be listed: %s", error)


def _candidates_of(distribution: Distribution, groups: Sequence[str]) -> list[Candidate]:
    try:
        if f"[{GROUP_PREFIX}" not in (distribution.read_text("entry_points.txt") or ""):
            return []  # most are not ours, and parsing them takes longer than the rest
        entry_points = [e for e in distribution.entry_points if e.group.startswith(GROUP_PREFIX)]
        metadata = distribution.metadata
        name = normalize(metadata["Name"] or "unknown")
        version = metadata["Version"] or "unknown"
        # the built-ins' requirements of latelier are its extras, and reading them takes an import
        texts = () if name == BUILT_IN else metadata.get_all("Requires-Dist") or ()
        requires = latelier_requirement(texts)
    except Exception as error:  # one damaged installation must not stop the host
        reason = f"{type(error).__name__}: {error}"  # the repr may hold a whole file
        _log.warning("the metadata in %s cannot be read: %s", _folder_of(distribution), reason)
        return []
    found = [each for group in groups for each in _select(entry_points, group)]
    return [Candidate(name, version, each, requires) for each in found]


def _select(entry_points: Sequence[EntryPoint], group: str) -> list[EntryPoint]:
    """Return those of a group; without any, those that are for another latelier."""
    alike = [each for each in entry_points if is_command(each.group) == is_command(group)]
    return [each for each in alike if each.group == group] or alike


def _folder_of(distribution: Distribution) -> object:
    """Return the folder of the metadata, or the folder of packages if the first is unknown."""
    return getattr(distribution, "_path", None) or distribution.locate_file("")
