"""What an installed distribution consists of, file by file, so that a change is noticed.

Covered are its entry points, the files that its installer recorded, and whatever else lies in the
packages that its entry points name, so that an added module is noticed too. Not covered are
bytecode, the records of the installer itself, and scripts outside the folder of installed
packages, whose first line names an interpreter. Of an editable installation the packages that its
entry points name are covered where they lie.

This tells a change from what was seen before. It is no defence against somebody who can write to
the environment, and so could change latelier itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path

from latelier.kernel.discovery import GROUP_PREFIX

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
        return sha256("".join(lines).encode()).hexdigest()


def fingerprint(distribution: Distribution) -> Fingerprint:
    """Return the fingerprint of an installed distribution; nothing of it is imported.

    Raises:
        OSError: a file of it cannot be read.
    """
    editable = _is_editable(distribution)
    paths = {} if editable else dict(_recorded(distribution))
    for entry_point in distribution.entry_points:
        if entry_point.group.startswith(GROUP_PREFIX):
            paths |= _files_of(entry_point.module)
    entry_points = distribution.read_text(_ENTRY_POINTS) or ""
    files = {name: _sha256(path) for name, path in paths.items() if path.is_file()}
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

    The topmost regular package is taken: one without `__init__.py` is shared by distributions.
    """
    name, *rest = module.split(".")
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return {}
    if spec is None or not spec.submodule_search_locations:
        return {Path(spec.origin).name: Path(spec.origin)} if spec and spec.origin else {}
    files: dict[str, Path] = {}
    for location in spec.submodule_search_locations:
        folder, below = Path(location), list(rest)
        parts = [name]
        while below and folder.is_dir() and not (folder / "__init__.py").exists():
            parts.append(below.pop(0))
            folder /= parts[-1]
        prefix = "/".join(parts)
        if folder.is_dir():
            files |= {f"{prefix}/{path}": folder / path for path in _below(folder)}
        elif folder.with_suffix(".py").is_file():
            files[f"{prefix}.py"] = folder.with_suffix(".py")
    return files


def _below(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if _counts(path.name) and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()


def _counts(name: str) -> bool:
    return not name.endswith((".pyc", ".pyo"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
