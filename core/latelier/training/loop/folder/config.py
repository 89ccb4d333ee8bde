"""The configuration of a run in its folder, and which fields may differ when it is resumed."""

from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, TypeVar

from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import write_bytes
from latelier.training.configs.training import Training, read_training, to_yaml
from latelier.training.loop.folder.names import CONFIG

C = TypeVar("C", bound=Training)

_HEADER = "# The configuration of this run, written by latelier.\n"
"""First line of that file: without it, the file is the user's."""

MAY_CHANGE = {
    "out", "steps", "workers", "accelerator", "devices", "num_nodes", "strategy", "accumulate",
    "log_every", "tensorboard", "checkpoint_seconds", "keep", "faults", "sheet_every",
    "sheet_weights", "validate_every",
}  # fmt: skip
"""Fields that a resumed run may change."""


def write_config(folder: Path, config: Training) -> None:
    """Write the configuration of a run into a folder.

    Raises:
        OSError: it cannot be written.
    """
    write_bytes(folder / CONFIG, (_HEADER + to_yaml(config)).encode())


def check_replaceable(folder: Path) -> None:
    """Check that the configuration of a new run may be written into a folder.

    Raises:
        InvalidConfigError: the user has written one there.
    """
    path = folder / CONFIG
    if path.exists() and not path.read_bytes().startswith(_HEADER.encode()):
        raise InvalidConfigError(
            f"out: {path} was not written by a run, and would be overwritten; rename it, or name "
            "another out"
        )


def read_config(config: C) -> C | None:
    """Return the stored configuration of the run in `config.out`; None if there is no such file.

    Raises:
        InvalidConfigError: it is of another kind of training, or differs from `config` in a field
            that may not change.
    """
    path = config.out / CONFIG
    if not path.exists():
        return None
    try:
        stored = read_training(path, type(config))
    except InvalidConfigError as error:
        raise InvalidConfigError(
            f"out: {config.out} holds a run of another kind or version ({error}); name another out"
        ) from None
    _check_same(config, stored, path)
    return stored


def _check_same(config: Training, stored: Training, path: Path) -> None:
    changed = sorted(
        _changed_fields(_dump(config), _dump(stored))
        & _changed_fields(_dump_with_steps(config), _dump_with_steps(stored))
    )
    if changed:
        raise InvalidConfigError(
            f"{path} has another {', '.join(changed)}: use the same values, or name another out"
        )


def _changed_fields(now: dict[str, Any], then: dict[str, Any]) -> set[str]:
    return {name for name in now if name not in MAY_CHANGE and now[name] != then[name]}


def _dump(config: Training) -> dict[str, Any]:
    """Return the fields of a configuration as its file has them, where tuples are lists."""
    return config.model_dump(mode="json")


def _dump_with_steps(config: Training) -> dict[str, Any]:
    """Return the fields of a configuration, whose starts are numbers of steps, never shares."""
    fields = _dump(config)
    for field, step in config.starts().items():
        *parents, name = field.split(".")
        reduce(getitem, parents, fields)[name] = step
    return fields
