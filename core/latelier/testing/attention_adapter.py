"""The contract of attention adapters."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.condition import Stream
from latelier.contracts.configs import OutputSpec
from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.adapter import ActiveAdapter
from latelier.denoisers.configs import AttentionAdapterConfig
from latelier.testing.call_adapter import CallAdapterContract, OutputsConfig
from latelier.testing.support.comparison import is_close
from latelier.testing.support.randomness import seeded

TOKENS = 4
SIZE = (2, 3)
"""Of the queries' map."""


class AttentionAdapterContract(CallAdapterContract):
    """The contract of attention adapters. A plugin's own test file:

        from latelier.testing import AttentionAdapterContract

        class TestResampler(AttentionAdapterContract):
            component = "latelier-resampler/resampler"
            config = {"width": 12, "layers": {"middle_block.1.attn2": 16}}

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with; small, so that the tests are fast.
        heads: of the queries; they divide the width of each layer.
    """  # noqa: D415

    heads: ClassVar[int] = 2

    @property
    def validated_config(self) -> AttentionAdapterConfig:
        """The configuration that it is built with."""
        config = self.registry.validate_config(self.component, self.config)
        assert isinstance(config, AttentionAdapterConfig)
        return config

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return the tokens and their mask, and the queries of each layer by its name."""
        del component
        config = self.validated_config
        generators = [torch.Generator().manual_seed(row) for row in rows]
        shapes = {"tokens": (TOKENS, config.width)} | {
            name: (self.heads, SIZE[0] * SIZE[1], width // self.heads)
            for name, width in config.layers.items()
        }
        inputs = {
            name: torch.stack([torch.randn(shape, generator=each) for each in generators])
            for name, shape in shapes.items()
        }
        return {**inputs, "mask": torch.ones(len(rows), TOKENS, dtype=torch.bool)}

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return what it adds to each cross-attention, by name."""
        context = component(Stream(inputs["tokens"], inputs["mask"]))
        active = ActiveAdapter(component, context, 1.0)
        layers = self.validated_config.layers
        return {name: active.attend(name, inputs[name], SIZE) for name in layers}

    def test_it_adds_what_a_layer_can_take(self) -> None:
        """(B, h * w, C) for queries (B, H, h * w, C / H)."""
        found = {name: tuple(each.shape) for name, each in self.run(self.build()).items()}
        for name, width in self.validated_config.layers.items():
            expected = (len(self.rows), SIZE[0] * SIZE[1], width)
            assert found[name] == expected, (
                f"for '{name}' it gives {found[name]}, and the layer takes {expected}"
            )

    def test_masked_tokens_change_nothing(self) -> None:
        """A mask is for streams of unequal lengths in one batch."""
        component = self.build()
        inputs = self.make_inputs(component, self.rows)
        inputs["mask"][:, -1] = False
        with torch.no_grad(), seeded():
            found = self.compute(component, inputs)
            inputs["tokens"][:, -1] += 1
            other = self.compute(component, inputs)
        for name, each in found.items():
            assert is_close(other[name], each), f"a masked token changes what '{name}' gets"

    def test_tokens_change_what_it_adds(self) -> None:
        """An adapter that ignores its stream steers nothing."""
        component = self.build()
        inputs = self.make_inputs(component, self.rows)
        with torch.no_grad(), seeded():
            found = self.compute(component, inputs)
            other = self.compute(component, {**inputs, "tokens": inputs["tokens"] + 1})
        same = [name for name, each in found.items() if is_close(other[name], each)]
        assert not same, f"other tokens give '{same[0]}' the same"

    def test_another_denoiser_or_conditioner_is_refused(self) -> None:
        """`config.check` says so before any weight is read."""
        config = self.validated_config
        supports = SimpleNamespace(supports=frozenset({"adapters"}))
        denoiser = SimpleNamespace(cross_attentions=dict(config.layers), config=supports)
        wider = {name: width + 1 for name, width in config.layers.items()}
        other = SimpleNamespace(cross_attentions=wider, config=supports)
        for each, width in ((other, config.width), (denoiser, config.width + 1)):
            with pytest.raises(CompatibilityError):
                config.check("it", OutputsConfig(spec=OutputSpec(stream=width)), each)
