"""The files of an installed distribution and their hashes, so that a change is noticed.

A fingerprint covers the distribution's entry points, the files that its installer recorded, and all
other files in the packages that its entry points name, so that an added module is noticed too. It
does not cover bytecode, the installer's own records, and scripts outside the folder of installed
packages, whose first line names an interpreter. For an editable installation it covers the packages
that the entry points name. Links in a package are followed to files and to packages, but not to
folders of data, which may be of any size.

A fingerprint detects a change. It does not stop somebody who can write to the environment, and so
could change latelier itself.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from latelier.io.hashing import sha256_of
from latelier.kernel.trust.entry_points import GROUP_PREFIX, module_of

_ENTRY_POINTS = "entry_points.txt"


@dataclass(frozen=True)
class Fingerprint:
    """The state of an installed distribution.

    Attributes:
        version: of the distribution.
        editable: whether it is an editable installation.
        files: path, as in the wheel -> SHA-256.
    """

    version: str
    editable: bool
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """One hash of all files: of their lines as sha256sum writes them, sorted by path."""
        lines = (f"{self.files[path]}  {path}\n" for path in sorted(self.files))
        return sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


Fingerprints = Mapping[str, Fingerprint]
"""Name of a distribution -> its fingerprint."""


def fingerprint(distribution: Distribution) -> Fingerprint:
    """Return the fingerprint of an installed distribution. None of its code is run.

    Raises:
        OSError: one of its files cannot be read.
    """
    editable = _is_editable(distribution)
    paths = {} if editable else dict(_recorded_files(distribution))
    for entry_point in distribution.entry_points:
        module = module_of(entry_point)
        if entry_point.group.startswith(GROUP_PREFIX) and module is not None:
            paths |= _package_files(module)
    entry_points = distribution.read_text(_ENTRY_POINTS) or ""
    files = {name: sha256_of(path) for name, path in paths.items() if path.is_file()}
    files[_ENTRY_POINTS] = sha256(entry_points.encode()).hexdigest()
    return Fingerprint(distribution.version, editable, files)


def _is_editable(distribution: Distribution) -> bool:
    """Return whether the record that installers leave (PEP 610) says so."""
    try:
        record = json.loads(distribution.read_text("direct_url.json") or "{}")
        return bool(record["dir_info"]["editable"])
    except (ValueError, KeyError, TypeError):
        return False


def _recorded_files(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    for file in distribution.files or ():
        first = file.parts[0]
        is_outside = first == ".." or file.is_absolute()
        is_metadata = first.endswith((".dist-info", ".egg-info"))
        if not is_outside and not is_metadata and not _is_bytecode(file.name):
            yield file.as_posix(), Path(str(distribution.locate_file(file)))


def _package_files(module: str) -> dict[str, Path]:
    """Return the files of the topmost regular package of `module`, or of the module itself.

    Above that package are namespaces at most, which distributions share. Looking into a namespace
    imports it, which runs no code, since it has none.
    """
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        try:
            spec = find_spec(".".join(parts[:depth]))
        except (ImportError, ValueError):
            return {}
        if spec is None or spec.origin is not None:
            return dict(_files_of_spec(spec)) if spec else {}
    return {}


def _files_of_spec(spec: ModuleSpec) -> Iterator[tuple[str, Path]]:
    """Yield the path, as in the wheel, and the location of each file of a package or module."""
    if spec.submodule_search_locations is None:
        origin = Path(str(spec.origin))
        yield PurePosixPath((spec.parent or "").replace(".", "/"), origin.name).as_posix(), origin
        return
    for folder in map(Path, spec.submodule_search_locations):
        for path in _walk(folder):
            yield f"{spec.name.replace('.', '/')}/{path}", folder / path


def _walk(folder: Path) -> Iterator[str]:
    """Yield the files in a folder and, following links to packages only, in those below it."""
    visited = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = sorted(each for each in folders if _is_own(Path(parent, each)))
        if real in visited:
            folders.clear()  # a link back to a parent
            continue
        visited.add(real)
        for name in names:
            if not _is_bytecode(name):
                yield Path(parent, name).relative_to(folder).as_posix()


def _is_own(folder: Path) -> bool:
    """Return whether a folder is code or data of a package, not a link to a store of data."""
    linked_data = folder.is_symlink() and not (folder / "__init__.py").is_file()
    return folder.name != "__pycache__" and not linked_data


def _is_bytecode(name: str) -> bool:
    return name.endswith((".pyc", ".pyo"))
