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
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
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


class _Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice in a mapping: YAML forbids it, and one would be ignored."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.YAMLError(
                        f"line {key.start_mark.line + 1}: the key '{key.value}' occurs twice"
                    )
                seen.add((key.tag, key.value))
        return node
