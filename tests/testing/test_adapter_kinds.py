"""The conformance kit over the kinds of adapters here."""

import sys
from pathlib import Path

import pytest
import torch

from latelier.checkpoints.lora.lora import Lora
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.nn.low_rank import create_low_rank
from latelier.testing import (
    AttentionAdapterContract,
    ResidualAdapterContract,
    WeightAdapterContract,
)

PLUGINS = Path(__file__).parents[1] / "pipeline"


@pytest.fixture(scope="module", autouse=True)
def importable():
    sys.path.insert(0, str(PLUGINS))
    yield
    sys.path.remove(str(PLUGINS))


class TestAttention(AttentionAdapterContract):
    component = "latelier/attention"
    config = {"width": 6, "layers": {"middle.attn": 8, "blocks.0.attn": 4}}


class TestProjectedAttention(TestAttention):
    config = {**TestAttention.config, "projection": {"width": 10, "tokens": 2}}


class TestEdges(ResidualAdapterContract):
    component = "latelier-edges/edges"
    config = {"channels": 32}
    streams = {"text": 16}

    def atelier(self):
        from residuals_plugin import ResidualsPlugin

        atelier = Atelier(policy=Policy(allow=frozenset()))
        atelier.register(ResidualsPlugin(), "latelier-edges", "1.0")
        return atelier


class TestLora(WeightAdapterContract):
    component = "latelier/lora"

    def create(self, layers):
        changes = {address: create_low_rank(layer, 2, 1.0) for address, layer in layers.items()}
        for change in changes.values():
            torch.nn.init.normal_(change.up)
        return Lora(changes).eval().requires_grad_(False)
