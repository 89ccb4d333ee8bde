"""Reading configurations that people write, as plain values."""

from pathlib import Path
from typing import Any

import yaml

from latelier.contracts.errors import InvalidConfigError, LatelierError

_MAX_BYTES = 2**20


def read_yaml(path: Path, error: type[LatelierError] = InvalidConfigError) -> dict[str, Any]:
    """Return the mapping in a YAML file. Tags that would construct objects are refused.

    Raises:
        LatelierError: of the type `error`: the file is missing, damaged or larger than a
            configuration, or holds no mapping.
    """
    try:
        if path.is_file() and path.stat().st_size > _MAX_BYTES:
            raise error(f"{path}: is too large for a configuration")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path}: not found") from None
    except OSError as fault:
        raise error(f"{path}: cannot be read: {fault.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as fault:
        reason = " ".join(str(fault).split())
        raise error(f"{path}: cannot be read as YAML: {reason}") from None
    if not isinstance(values, dict):
        raise error(f"{path}: expected a mapping, got {type(values).__name__}")
    return values
