"""Files and folders of a run that are named by a step, such as `step-00001000`."""

import re
from pathlib import Path

_NAME = re.compile(r"step-(\d{8,})")


def step_name(step: int) -> str:
    """Return the name of a step, without a suffix."""
    return f"step-{step:08d}"


def list_steps(folder: Path, suffix: str = "") -> list[Path]:
    """Return what is named by a step with a suffix in `folder`, the earliest first."""
    if not folder.is_dir():
        return []
    named = (path for path in folder.iterdir() if path.suffix == suffix)
    return sorted((path for path in named if _NAME.fullmatch(path.stem)), key=step_of)


def step_of(path: Path) -> int:
    """Return the step in the name of a file or folder."""
    match = _NAME.fullmatch(path.stem)
    assert match is not None
    return int(match[1])
