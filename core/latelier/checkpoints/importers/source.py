"""What is to be imported: a file with its YAML, a folder of both, or a folder of diffusers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.io.weight_files import is_weights, read_shapes, tensors_of
from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.errors import ModelFileError

WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
_YAML = (".yaml", ".yml")
_SMALL = 64 * 2**20


@dataclass(frozen=True)
class Source:
    """See `contracts.ImportSource`. file: the weights that were named or found, if any."""

    path: Path
    file: Path | None = None
    config: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor by name; none where there is no file of weights.

        A file of another format has none here: a plugin may know more of it.

        Raises:
            ModelFileError: see `reading.as_safetensors`.
        """
        return read_shapes(self.file) if self.file and is_weights(self.file) else {}

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors, mapped; none for a folder without a file of weights.

        Raises:
            ModelFileError: see `reading.as_safetensors`.
        """
        return self.tensors_of(self.file) if self.file else {}

    def tensors_of(self, path: Path, /) -> dict[str, Tensor]:
        """Return the tensors of another file, mapped.

        Raises:
            ModelFileError: see `reading.as_safetensors`.
        """
        return tensors_of(path)

    def sibling(self, name: str, /) -> bytes | None:
        """Return a file that lies with the weights, None where there is none.

        Raises:
            ModelFileError: it cannot be read, or is large.
        """
        folder = self.path if self.path.is_dir() else self.path.parent
        path = folder / name
        if not path.is_file():
            return None
        try:
            if path.stat().st_size > _SMALL:
                raise ModelFileError(f"{path}: is too large for what its name says")
            return path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None


def open_source(path: Path, config: Path | None, options: Mapping[str, Any]) -> Source:
    """Return what is at `path`.

    Args:
        path: a file of weights; a folder of one such file and a YAML; a folder of diffusers.
        config: the YAML, where it is not beside the weights.
        options: for the importer.

    Raises:
        ModelFileError: there is nothing, or more than one thing, to import; the YAML is damaged.
    """
    if not path.exists():
        raise ModelFileError(f"{path}: there is no such file or folder")
    file = path if path.is_file() else _only_weights(path)
    beside = _yaml_beside(path, file) if config is None else config
    values = read_yaml(beside, ModelFileError) if beside else None
    return Source(path, file, values, options)


def _only_weights(folder: Path) -> Path | None:
    """Return the one file of weights in a folder; None in a folder of diffusers."""
    if any((folder / name).is_file() for name in ("model_index.json", "config.json")):
        return None
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in WEIGHTS)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelFileError(
            f"{folder}: holds no weights: neither a file ending in {', '.join(WEIGHTS)} nor the "
            "model_index.json or config.json of diffusers"
        )
    names = ", ".join(path.name for path in found[:10])
    raise ModelFileError(f"{folder}: holds several files of weights; name one of {names}")


def _yaml_beside(path: Path, file: Path | None) -> Path | None:
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
