"""The scales of LoRAs that peft and diffusers store apart from the tensors."""

import json
import math
import re
import shutil
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


def copy_config(folder: Path, destination: Path) -> None:
    """Copy the configuration of peft, if there is one, to where a copy of its weights is."""
    if (folder / _CONFIG).is_file():
        shutil.copyfile(folder / _CONFIG, destination / _CONFIG)


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

    def metadata(self) -> dict[str, str]:
        """Return what the header of a file has to hold, so that these scales are read from it."""
        return {_METADATA: json.dumps(self._config)} if self._config else {}

    def alpha(self, layer: str, rank: int) -> float:
        """Return the alpha of a layer, by its name in the file; the rank if none is known.

        Raises:
            ModelFileError: it is no finite number, or a pattern is no regular expression.
        """
        prefix = self._prefix(layer)
        # the fields are those of LoRA, or those of LoHa and LoKr
        field = "lora_alpha" if f"{prefix}lora_alpha" in self._config else "alpha"
        alpha = self._find(layer, field, "alpha_pattern", rank)
        # rank-stabilized LoRA (arXiv:2312.03732) divides by the root of the rank
        return alpha * math.sqrt(rank) if self._config.get(f"{prefix}use_rslora") else alpha

    def rank(self, layer: str) -> int | None:
        """Return the rank of a layer, by its name in the file; None if it is not known.

        Raises:
            ModelFileError: it is no whole number of 0 or more, or a pattern is no regular
                expression.
        """
        rank = self._find(layer, "r", "rank_pattern", 0)
        if rank < 0 or rank != int(rank):
            raise ModelFileError(f"{self._path}: expected a whole number as r, got {rank}")
        return int(rank) or None

    def _prefix(self, layer: str) -> str:
        """Return what fields for the component of a layer begin with."""
        component = layer.partition(".")[0]
        return f"{component}." if f"{component}.lora_alpha" in self._config else ""

    def _find(self, layer: str, field: str, pattern_field: str, default: float) -> float:
        """Return a number of a layer: that of the first pattern that matches, or of a field."""
        prefix = self._prefix(layer)
        name = layer.removeprefix("base_model.model.").removeprefix(prefix)
        patterns = self._config.get(f"{prefix}{pattern_field}")
        found = self._config.get(f"{prefix}{field}", default)
        for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
            if self._is_match(pattern, name, pattern_field):
                found = value
                break
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if not (is_number and math.isfinite(found)):
            raise ModelFileError(f"{self._path}: expected a number as {field}, got {found!r:.80}")
        return found

    def _is_match(self, pattern: str, name: str, field: str) -> bool:
        """Return whether a regular expression is the end of a layer's name, from a dot or whole."""
        try:
            return re.match(rf"(.*\.)?({pattern})$", name) is not None
        except (re.error, OverflowError, RecursionError) as error:
            raise ModelFileError(
                f"{self._path}: expected a regular expression in {field}, got "
                f"{pattern!r:.80} ({error}); correct it"
            ) from None
