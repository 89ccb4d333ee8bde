"""The published models as configurations, one YAML file a model; no weights."""

from latelier.presets.preset import Preset, PresetPart
from latelier.presets.reader import preset_names, read_preset

__all__ = ["Preset", "PresetPart", "preset_names", "read_preset"]
