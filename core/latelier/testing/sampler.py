"""The contract of samplers."""

from latelier.testing.sampler_checks.accuracy import AccuracyChecks
from latelier.testing.sampler_checks.independence import IndependenceChecks
from latelier.testing.sampler_checks.noise import NoiseChecks
from latelier.testing.sampler_checks.options import OptionChecks
from latelier.testing.sampler_checks.steps import StepChecks


class SamplerContract(StepChecks, AccuracyChecks, IndependenceChecks, NoiseChecks, OptionChecks):
    """The contract of samplers. A plugin's own test file:

        from latelier.testing import SamplerContract

        class TestMidpoint(SamplerContract):
            component = "latelier-midpoint/midpoint"

    It checks what the sampler declares where it is registered (see `SamplerTraits`): its order, the
    calls of the model in a step, whether it draws noise.

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        options: options for the tests, other than the defaults.
    """  # noqa: D415
