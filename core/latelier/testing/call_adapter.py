"""What attention and residual adapters have in common: they act in calls of a denoiser."""

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.testing.module import ModuleContract
from latelier.testing.support.comparison import is_close


class CallAdapterContract(ModuleContract):
    """Base of the contracts of adapters that act in calls."""

    kind = "adapter_kind"

    def test_rows_are_independent(self) -> None:
        """Requests share calls: what a row gets must not depend on the others."""
        component = self.build()
        together = self.run(component)
        for row in self.rows:
            for name, each in self.run(component, [row]).items():
                assert is_close(each[0], together[name][row]), (
                    f"what '{name}' gets in a row depends on the other rows of the call"
                )


class OutputsConfig(ConditionerConfig):
    """The configuration of a conditioner with some outputs."""

    spec: OutputSpec

    def outputs(self) -> OutputSpec:
        """Return the outputs."""
        return self.spec
