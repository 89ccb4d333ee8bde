"""Finding and reading presets: those of the package by name, others by path."""

import re
from pathlib import Path
from typing import Any

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.errors import InvalidConfigError, UnknownNameError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggestion
from latelier.io.user_folders import expand_home
from latelier.presets.preset import Preset

_FOLDERS = ("first_stages", "models")


def preset_names() -> tuple[str, ...]:
    """Return the names of the package's presets: first stages, then models, each sorted."""
    return tuple(_files())


def read_preset(name: str | Path) -> Preset:
    """Return the preset of a name, or in a YAML file.

    Its `first_stage` may be `{preset: NAME, config: {...}}`: the first stage of another preset with
    some fields changed.

    Raises:
        UnknownNameError: there is no preset of that name; the error suggests the nearest.
        InvalidConfigError: the file is missing or not YAML, or a field is invalid.
    """
    path = _find(name)
    values = read_yaml(path)
    first_stage = values.get("first_stage")
    if isinstance(first_stage, dict) and "preset" in first_stage:
        values["first_stage"] = _resolve_first_stage(first_stage, str(path))
    found = validate(Preset, values, str(path))
    if found.denoiser is not None and not (found.process and found.defaults):
        raise InvalidConfigError(f"{path}: a model needs a process and defaults")
    if found.denoiser is None and found.conditioners:
        raise InvalidConfigError(f"{path}: has conditioners, but no denoiser")
    return found


def _files() -> dict[str, Path]:
    root = Path(__file__).parent
    found = {}
    for folder in _FOLDERS:
        files = sorted((root / folder).glob("*.yaml"), key=lambda path: _natural(path.stem))
        found.update({path.stem: path for path in files})
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts f8 before f16."""
    return [(int(each), "") if each.isdigit() else (0, each) for each in re.split(r"(\d+)", name)]


def _find(name: str | Path) -> Path:
    files = _files()
    if str(name) in files:
        return files[str(name)]
    path = expand_home(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    raise UnknownNameError(
        f"preset '{name}' not found, nor a .yaml file of that name. {suggestion(str(name), files)}"
    )


def _resolve_first_stage(values: dict[str, Any], what: str) -> dict[str, Any]:
    """Return the first stage of another preset with its fields updated."""
    unknown = values.keys() - {"preset", "config"}
    if unknown:
        hint = suggestion(sorted(unknown)[0], ("preset", "config"))
        raise InvalidConfigError(f"{what}: unknown field 'first_stage.{min(unknown)}'. {hint}")
    changes = values.get("config") or {}
    if not isinstance(changes, dict):
        raise InvalidConfigError(
            f"{what}: 'first_stage.config': expected fields, got {changes!r:.80}"
        )
    base = read_preset(str(values["preset"])).first_stage
    return {**base.model_dump(), "config": {**base.config, **changes}}
