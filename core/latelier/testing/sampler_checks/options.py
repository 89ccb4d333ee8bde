"""Checks of the options of a sampler."""

from latelier.contracts.options import options_model
from latelier.testing.sampler_checks.base import SamplerBase


class OptionChecks(SamplerBase):
    """A sampler runs without any option given."""

    def test_its_options_have_defaults(self) -> None:
        """A sampler can be chosen by its name alone."""
        fields = options_model(self.function).model_fields
        required = [name for name, field in fields.items() if field.is_required()]
        missing = [name for name in required if name not in self.spec.defaults]
        assert not missing, f"the options {', '.join(missing)} have no default"
