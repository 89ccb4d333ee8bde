"""Published models as configurations without weights, one YAML file per model."""

from latelier.presets.preset import Preset, PresetPart
from latelier.presets.reader import preset_names, read_preset

__all__ = ["Preset", "PresetPart", "preset_names", "read_preset"]
