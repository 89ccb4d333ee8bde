"""The contract of residual adapters."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.adapters import ResidualConfig
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import OutputSpec
from latelier.contracts.errors import CompatibilityError
from latelier.testing.call_adapter import CallAdapterContract, OutputsConfig
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.randomness import seeded

TOKENS = 3


class ResidualAdapterContract(CallAdapterContract):
    """The contract of residual adapters. A plugin's own test file:

        from latelier.testing import ResidualAdapterContract

        class TestEdges(ResidualAdapterContract):
            component = "latelier-edges/edges"
            config = {"channels": 32}
            streams = {"text": 16}

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with; small, so that the tests are fast.
        channels: of the denoiser's x.
        size: (h, w) of the latents to test it with.
        streams: of the denoiser's condition, name -> width.
        vectors: of the denoiser's condition, name -> width.
    """  # noqa: D415

    channels: ClassVar[int] = 4
    size: ClassVar[tuple[int, int]] = (8, 8)
    streams: ClassVar[Mapping[str, int]] = {}
    vectors: ClassVar[Mapping[str, int]] = {}

    @property
    def validated_config(self) -> ResidualConfig:
        """The configuration that it is built with."""
        config = self.registry.validate_config(self.component, self.config)
        assert isinstance(config, ResidualConfig)
        return config

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return x, t, the hint and the condition by dotted names; each row has its own seed."""
        del component
        shapes = {
            "x": (self.channels, *self.size),
            "hint": (self.validated_config.hint_channels, *self.size),
            **{f"streams.{name}": (TOKENS, width) for name, width in self.streams.items()},
            **{f"vectors.{name}": (width,) for name, width in self.vectors.items()},
        }
        generators = [torch.Generator().manual_seed(row) for row in rows]
        inputs = {
            name: torch.stack([torch.randn(shape, generator=each) for each in generators])
            for name, shape in shapes.items()
        }
        inputs["hint"] = inputs["hint"].sigmoid()
        return {**inputs, "t": torch.tensor([100.0 + 300 * row for row in rows])}

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the residuals, by block."""
        condition = Condition(
            {name: Stream(inputs[f"streams.{name}"]) for name in self.streams},
            vectors={name: inputs[f"vectors.{name}"] for name in self.vectors},
        )
        return dict(component.residuals(inputs["x"], inputs["t"], condition, inputs["hint"]))

    def cast_inputs(self, inputs: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return inputs as a host passes them: timesteps stay float32."""
        return {**super().cast_inputs(inputs, dtype), "t": inputs["t"]}

    def test_its_residuals_are_for_the_blocks_of_its_config(self) -> None:
        """They are (B, C, h, w) for these blocks: whether a denoiser has them is checked before."""
        residuals, blocks = self.run(self.build()), set(self.validated_config.blocks)
        assert residuals.keys() == blocks, (
            f"it gives residuals for {sorted(residuals)}, and config.blocks says {sorted(blocks)}"
        )
        shapes = {name: tuple(each.shape) for name, each in residuals.items()}
        wrong = [k for k, shape in shapes.items() if len(shape) != 4 or shape[0] != len(self.rows)]
        assert not wrong, f"residuals are (B, C, h, w); that for '{wrong[0]}' is {shapes[wrong[0]]}"

    def test_a_row_without_a_hint_gets_no_residual(self) -> None:
        """All channels of its hint are 0. A run may give a hint for some of its pictures."""
        component = self.build()
        inputs = self.make_inputs(component, self.rows)
        inputs["hint"][0] = 0
        with torch.no_grad(), seeded():
            residuals = self.compute(component, inputs)
        steered = [name for name, each in residuals.items() if each[0].any()]
        assert not steered, (
            f"without a hint the residual for '{steered[0]}' is not 0: multiply by whether the "
            "row's hint has any number"
        )

    def test_the_hint_changes_the_residuals(self) -> None:
        """An adapter that ignores its hint steers nothing."""
        component = self.build()
        inputs = self.make_inputs(component, self.rows)
        with torch.no_grad(), seeded():
            found = self.compute(component, inputs)
            other = self.compute(component, {**inputs, "hint": inputs["hint"].flip(2)})
        assert any(not is_close(other[name], each) for name, each in found.items()), (
            "another hint gives the same residuals"
        )

    def test_it_leaves_its_arguments_alone(self) -> None:
        """The denoiser gets the same x and condition afterwards."""
        component = self.build()
        inputs = self.make_inputs(component, self.rows)
        copies = {name: tensor.clone() for name, tensor in inputs.items()}
        with torch.no_grad(), seeded():
            self.compute(component, inputs)
        changed = [name for name, each in copies.items() if not has_same_bits(inputs[name], each)]
        assert not changed, f"it changes {', '.join(changed)} in place"

    def test_another_denoiser_or_conditioner_is_refused(self) -> None:
        """`config.check` says so before any weight is read."""
        config = self.validated_config
        lacking = SimpleNamespace(residual_blocks=frozenset())
        other = SimpleNamespace(residual_blocks=frozenset(config.blocks))
        for denoiser, channels in ((lacking, config.hint_channels), (other, 1)):
            with pytest.raises(CompatibilityError):
                config.check("it", OutputsConfig(spec=OutputSpec(spatial=channels)), denoiser)
