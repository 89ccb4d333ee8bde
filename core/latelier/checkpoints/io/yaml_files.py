"""Reading configurations that people write, as plain values."""

from pathlib import Path
from typing import Any

import yaml

from latelier.contracts.errors import InvalidConfigError, LatelierError

_LIMIT = 2**20


def read_yaml(path: Path, error: type[LatelierError] = InvalidConfigError) -> dict[str, Any]:
    """Return the mapping in a YAML file; tags that would make objects are refused.

    Raises:
        LatelierError: of the type `error`: it is missing, damaged, absurdly large or no mapping.
    """
    if path.is_file() and path.stat().st_size > _LIMIT:
        raise error(f"{path}: is too large for a configuration")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as fault:
        reason = " ".join(str(fault).split())
        raise error(f"{path}: cannot be read as YAML: {reason}") from None
    if not isinstance(values, dict):
        raise error(f"{path}: is no configuration: it holds {type(values).__name__}")
    return values
