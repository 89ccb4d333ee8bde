"""The conformance kit: a test class for each kind of component, to subclass in a plugin's tests.

A test file of about ten lines runs every check of a contract:

    from latelier.testing import ConditionerContract

    class TestPalette(ConditionerContract):
        component = "latelier-palette/palette"
        config = {"width": 128}
        inputs = [["#ff0000"], ["#00ff00", "#0000ff"]]
        bad_inputs = [["no colour"]]

It needs pytest, which comes with `pip install "latelier[testing]"`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "latelier.testing needs pytest: pip install 'latelier[testing]'", name="pytest"
    ) from None

if TYPE_CHECKING:
    from latelier.testing.acceleration import AccelerationContract
    from latelier.testing.attention_adapter import AttentionAdapterContract
    from latelier.testing.conditioner import ConditionerContract
    from latelier.testing.database import DatabaseContract
    from latelier.testing.denoiser import DenoiserContract
    from latelier.testing.feature_network import FeatureNetworkContract
    from latelier.testing.first_stage import FirstStageContract
    from latelier.testing.guidance import GuidanceContract
    from latelier.testing.importer import ImporterContract
    from latelier.testing.measure import MeasureContract
    from latelier.testing.residual_adapter import ResidualAdapterContract
    from latelier.testing.sampler import SamplerContract
    from latelier.testing.schedule import ScheduleContract
    from latelier.testing.weight_adapter import WeightAdapterContract

__all__ = [
    "AccelerationContract",
    "AttentionAdapterContract",
    "ConditionerContract",
    "DatabaseContract",
    "DenoiserContract",
    "FeatureNetworkContract",
    "FirstStageContract",
    "GuidanceContract",
    "ImporterContract",
    "MeasureContract",
    "ResidualAdapterContract",
    "SamplerContract",
    "ScheduleContract",
    "WeightAdapterContract",
]

_MODULES = {
    "AccelerationContract": "latelier.testing.acceleration",
    "AttentionAdapterContract": "latelier.testing.attention_adapter",
    "ConditionerContract": "latelier.testing.conditioner",
    "DatabaseContract": "latelier.testing.database",
    "DenoiserContract": "latelier.testing.denoiser",
    "FeatureNetworkContract": "latelier.testing.feature_network",
    "FirstStageContract": "latelier.testing.first_stage",
    "GuidanceContract": "latelier.testing.guidance",
    "ImporterContract": "latelier.testing.importer",
    "MeasureContract": "latelier.testing.measure",
    "ResidualAdapterContract": "latelier.testing.residual_adapter",
    "SamplerContract": "latelier.testing.sampler",
    "ScheduleContract": "latelier.testing.schedule",
    "WeightAdapterContract": "latelier.testing.weight_adapter",
}

# Failing checks show their values, also where latelier's pytest plugin is not loaded.
pytest.register_assert_rewrite(
    *_MODULES.values(),
    "latelier.testing.support.comparison",
    "latelier.testing.call_adapter",
    "latelier.testing.component",
    "latelier.testing.conditioner_checks",
    "latelier.testing.module",
    "latelier.testing.module_config",
    "latelier.testing.module_outputs",
    "latelier.testing.sampler_checks",
    "latelier.testing.support.schemas",
    "latelier.testing.side_effects",
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'latelier.testing' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
