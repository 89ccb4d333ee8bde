"""The scales of LoRAs that peft and diffusers store apart from the tensors."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.io.header import read_metadata
from latelier.checkpoints.io.json_files import read_json_object
from latelier.contracts.errors import ModelFileError

_METADATA = "lora_adapter_metadata"
"""The name in the header of a file of diffusers; its fields begin with the component's name."""

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
"""The files of a folder of peft."""


class PeftScales:
    """The alpha of each layer, as the configuration of peft gives it."""

    def __init__(self, config: Mapping[str, Any], path: Path) -> None:
        """Take a configuration; `path` is the file that errors name."""
        self._config = config
        self._path = path

    @classmethod
    def read(cls, path: Path) -> "PeftScales":
        """Read the scales that belong to a file of weights; there may be none.

        Raises:
            ModelFileError: they cannot be read.
        """
        if path.name == _WEIGHTS and (path.parent / _CONFIG).is_file():
            return cls(read_json_object(path.parent / _CONFIG), path.parent / _CONFIG)
        try:
            config = json.loads(read_metadata(path).get(_METADATA, "{}"))
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path}: its '{_METADATA}' is no JSON: {error}") from None
        return cls(config if isinstance(config, dict) else {}, path)

    def alpha(self, layer: str, rank: int) -> float:
        """Return the alpha of a layer, by its name in the file; the rank if none is known.

        Raises:
            ModelFileError: it is no finite number, or a pattern is no regular expression.
        """
        component = layer.partition(".")[0]
        prefix = f"{component}." if f"{component}.lora_alpha" in self._config else ""
        name = layer.removeprefix("base_model.model.").removeprefix(prefix)
        patterns = self._config.get(f"{prefix}alpha_pattern")
        found = self._config.get(f"{prefix}lora_alpha", rank)
        for pattern, alpha in patterns.items() if isinstance(patterns, dict) else ():
            if self._is_match(pattern, name):  # of several, peft takes the first
                found = alpha
                break
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if not (is_number and math.isfinite(found)):
            raise ModelFileError(
                f"{self._path}: expected a number as lora_alpha, got {found!r:.80}"
            )
        # rank-stabilized LoRA (arXiv:2312.03732) divides by the root of the rank
        return found * math.sqrt(rank) if self._config.get(f"{prefix}use_rslora") else found

    def _is_match(self, pattern: str, name: str) -> bool:
        """Return whether a regular expression is the end of a layer's name, from a dot or whole."""
        try:
            return re.match(rf"(.*\.)?({pattern})$", name) is not None
        except (re.error, OverflowError, RecursionError) as error:
            raise ModelFileError(
                f"{self._path}: expected a regular expression in alpha_pattern, got "
                f"{pattern!r:.80} ({error}); correct it"
            ) from None
