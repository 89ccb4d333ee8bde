"""What an installed distribution consists of, file by file, so that a change is noticed.

Covered are its entry points, the files that its installer recorded, and whatever else lies in the
packages that its entry points name, so that an added module is noticed too. Not covered are
bytecode, the records of the installer itself, and scripts outside the folder of installed
packages, whose first line names an interpreter. Of an editable installation the packages that its
entry points name are covered where they lie. Links in a package are followed to files and to
packages, not to folders of data, which may be of any size.

This tells a change from what was seen before. It is no defence against somebody who can write to
the environment, and so could change latelier itself.
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
    """A distribution's version, whether it is an editable installation, and its files.

    files: path, as in the wheel, -> SHA-256.
    """

    version: str
    editable: bool
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Return one hash for all of them: of their lines as sha256sum writes them, by path."""
        lines = (f"{self.files[path]}  {path}\n" for path in sorted(self.files))
        return sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def fingerprint(distribution: Distribution) -> Fingerprint:
    """Return the fingerprint of an installed distribution; no code of it is run.

    Raises:
        OSError: a file of it cannot be read.
    """
    editable = _is_editable(distribution)
    paths = {} if editable else dict(_recorded(distribution))
    for entry_point in distribution.entry_points:
        module = module_of(entry_point)
        if entry_point.group.startswith(GROUP_PREFIX) and module is not None:
            paths |= _files_of(module)
    entry_points = distribution.read_text(_ENTRY_POINTS) or ""
    files = {name: sha256_of(path) for name, path in paths.items() if path.is_file()}
    files[_ENTRY_POINTS] = sha256(entry_points.encode()).hexdigest()
    return Fingerprint(distribution.version, editable, files)


def _is_editable(distribution: Distribution) -> bool:
    """Tell it by the record that installers leave (PEP 610)."""
    try:
        record = json.loads(distribution.read_text("direct_url.json") or "{}")
        return bool(record["dir_info"]["editable"])
    except (ValueError, KeyError, TypeError):
        return False


def _recorded(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    for file in distribution.files or ():
        first = file.parts[0]
        elsewhere = first == ".." or file.is_absolute()
        if not elsewhere and not first.endswith((".dist-info", ".egg-info")) and _counts(file.name):
            yield file.as_posix(), Path(str(distribution.locate_file(file)))


def _files_of(module: str) -> dict[str, Path]:
    """Return the files of the package, or else the module, that an import of `module` would find.

    The topmost regular package is taken. Above it are at most namespaces, which distributions
    share; to look into one it is imported, which runs no code, for it has none.
    """
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        try:
            spec = find_spec(".".join(parts[:depth]))
        except (ImportError, ValueError):
            return {}
        if spec is None or spec.origin is not None:
            return dict(_found(spec)) if spec else {}
    return {}


def _found(spec: ModuleSpec) -> Iterator[tuple[str, Path]]:
    """Yield the files of a regular package or a module: path, as in the wheel, and where it is."""
    if spec.submodule_search_locations is None:
        origin = Path(str(spec.origin))
        yield PurePosixPath((spec.parent or "").replace(".", "/"), origin.name).as_posix(), origin
        return
    for folder in map(Path, spec.submodule_search_locations):
        for path in _below(folder):
            yield f"{spec.name.replace('.', '/')}/{path}", folder / path


def _below(folder: Path) -> Iterator[str]:
    """Yield the files below a folder; of the links to folders those to packages are followed."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = sorted(each for each in folders if _is_own(Path(parent, each)))
        if real in seen:
            folders.clear()  # a link that leads back
            continue
        seen.add(real)
        for name in filter(_counts, names):
            yield Path(parent, name).relative_to(folder).as_posix()


def _is_own(folder: Path) -> bool:
    """Tell whether a folder is code or data of a package, not a link to a store of data."""
    linked_data = folder.is_symlink() and not (folder / "__init__.py").is_file()
    return folder.name != "__pycache__" and not linked_data


def _counts(name: str) -> bool:
    return not name.endswith((".pyc", ".pyo"))
