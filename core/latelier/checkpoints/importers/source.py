"""The source of an import: a file with its YAML, a folder of both, or a diffusers folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.checkpoints.pickles.copies import ConvertedCopies
from latelier.checkpoints.weight_files import is_weight_file, shapes_of, tensors_of
from latelier.contracts.errors import ModelFileError

WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
_YAML = (".yaml", ".yml")
_MAX_SIBLING_BYTES = 64 * 2**20


@dataclass(frozen=True)
class LocalSource:
    """A source on this machine; see `contracts.importing.ImportSource`.

    Attributes:
        path: the file or folder that was named.
        file: the file of weights, if there is one.
        config: the content of the YAML, if there is one.
        options: for the importer.
        copies: the safetensors copies of pickles; they live as long as the import.
    """

    path: Path
    file: Path | None = None
    config: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    copies: ConvertedCopies = field(default_factory=ConvertedCopies)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor by name; none without a file of weights.

        A file of another format has none, since a plugin may know more about it.

        Raises:
            ModelFileError: see `weight_files.as_safetensors`.
        """
        if self.file is None or not is_weight_file(self.file):
            return {}
        return shapes_of(self.file, self.copies)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors, mapped from disk; none without a file of weights.

        Raises:
            ModelFileError: see `weight_files.as_safetensors`.
        """
        return self.tensors_of(self.file) if self.file else {}

    def tensors_of(self, path: Path, /) -> dict[str, Tensor]:
        """Return the tensors of another file, mapped from disk.

        Raises:
            ModelFileError: see `weight_files.as_safetensors`.
        """
        return tensors_of(path, self.copies)

    def sibling(self, name: str, /) -> bytes | None:
        """Return the content of a file in the folder of the weights; None where it is missing.

        Raises:
            ModelFileError: the file is large, or cannot be read.
        """
        folder = self.path if self.path.is_dir() else self.path.parent
        path = folder / name
        if not path.is_file():
            return None
        try:
            if path.stat().st_size > _MAX_SIBLING_BYTES:
                raise ModelFileError(f"{path}: is too large for a vocabulary")
            return path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None


def open_source(path: Path, config: Path | None, options: Mapping[str, Any]) -> LocalSource:
    """Return the source at `path`.

    Args:
        path: a file of weights; a folder of one such file and a YAML; or a diffusers folder.
        config: the YAML; None: the one in the folder of the weights.
        options: for the importer.

    Raises:
        ModelFileError: there is nothing to import, or more than one thing; or the YAML is damaged.
    """
    if not path.exists():
        raise ModelFileError(f"{path}: not found")
    file = path if path.is_file() else _find_weights(path)
    yaml = _find_yaml(path, file) if config is None else config
    values = read_yaml(yaml, ModelFileError) if yaml else None
    return LocalSource(path, file, values, options)


def _find_weights(folder: Path) -> Path | None:
    """Return the one file of weights in a folder; None in a diffusers folder."""
    if any((folder / name).is_file() for name in ("model_index.json", "config.json")):
        return None
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in WEIGHTS)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelFileError(
            f"{folder}: holds no weights: neither a file ending in {', '.join(WEIGHTS)} nor the "
            f"model_index.json or config.json of diffusers{_hint_at_folders(folder)}"
        )
    names = ", ".join(path.name for path in found[:10])
    raise ModelFileError(f"{folder}: holds several files of weights; name one of {names}")


def _hint_at_folders(folder: Path) -> str:
    """Return the end of an error: the folders inside of `folder` that hold a model, if any do."""
    try:
        inner = [each for each in sorted(folder.iterdir()) if each.is_dir()]
        found = [each for each in inner if any(map(_is_of_model, each.iterdir()))]
    except OSError:
        return ""
    return f". Name a folder in it: {', '.join(map(str, found[:10]))}" if found else ""


def _is_of_model(path: Path) -> bool:
    return path.name == "model_index.json" or path.suffix.lower() in WEIGHTS


def _find_yaml(path: Path, file: Path | None) -> Path | None:
    if file is None:
        return None
    for suffix in _YAML:
        for name in (f"{file.stem}{suffix}", f"config{suffix}"):
            if (file.parent / name).is_file():
                return file.parent / name
    if path.is_file():
        return None
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in _YAML)
    if len(found) > 1:
        names = ", ".join(each.name for each in found[:10])
        raise ModelFileError(f"{path}: holds several YAML files; choose with --config: {names}")
    return found[0] if found else None
