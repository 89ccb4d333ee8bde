"""The root of a manifest: the folder that its paths are relative to.

A manifest may come from a stranger, so it alone leads to no file outside of its own folder: not by
its header, and not by a link. A person who wants that names the root (`root` of a data source, or
--root).
"""

import os
from pathlib import Path

from latelier.contracts.errors import DataError
from latelier.data.manifest.record import Header, Record


class ManifestRoot:
    """The root of a manifest, which checks the places of its records.

    Attributes:
        path: The folder.
    """

    def __init__(self, manifest: Path, header: Header, named: Path | None) -> None:
        """Choose the root.

        Args:
            manifest: the file.
            header: of the manifest.
            named: the root that a person names, whose links are followed; None: that of the
                header.

        Raises:
            DataError: the root of the header is outside of the folder of the manifest.
        """
        self.path = named or manifest.parent / header.root
        self._manifest = manifest
        self._links = None if named else _Links(self.path)
        if named is None and leads_out(self.path, manifest):
            raise DataError(
                f"{manifest}: 'root': expected a folder at or below that of the manifest, got "
                f"'{header.root}'; to read files from there, {suggest_root(self.path)}"
            )

    def check(self, record: Record) -> None:
        """Check that no link leads a file of a record out of the root.

        Raises:
            DataError: a link does.
        """
        if self._links is None:
            return
        for place in (record, record.semantic_map, record.mask):
            if place is not None and self._links.lead_out(place.path):
                raise DataError(
                    f"{self._manifest}: the file '{place.path}' is reached by a link to "
                    f"{os.path.realpath(self.path / place.path)}, outside of the root {self.path}; "
                    f"to follow links, {suggest_root(self.path)}"
                )


def suggest_root(root: Path) -> str:
    """Return how a person names a root."""
    shown = os.path.normpath(root)
    return f"set 'root: {shown}' next to 'path' in the data of a training, or --root {shown}"


def leads_out(root: Path, manifest: Path) -> bool:
    """Return whether a root is outside of the folder of the manifest."""
    return not _is_within(root, manifest.parent)


class _Links:
    """The links below a root. Each folder is listed once, since a call for each file takes long."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, frozenset[str] | None] = {}

    def lead_out(self, path: str) -> bool:
        """Return whether a path below the root leads out of it."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            is_within = _is_within(self._root / folder, self._root)
            self._folders[folder] = _list_links(self._root / folder) if is_within else None
        links = self._folders[folder]
        return links is None or (name in links and not _is_within(self._root / path, self._root))


def _list_links(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_symlink())
    except OSError:  # a missing folder has no links; its pictures are reported when they are read
        return frozenset()


def _is_within(path: Path, folder: Path) -> bool:
    """Return whether a path is a folder or below it, once all links are followed."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except ValueError:  # a null character
        return False
