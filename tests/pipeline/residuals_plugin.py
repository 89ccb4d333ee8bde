"""A plugin with a kind of adapter that adds residuals: an edge map steers the middle block."""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from latelier.contracts.adapters import ResidualConfig
from latelier.kernel.hookspecs import hookimpl
from latelier.nn.module import ConfiguredModule


class EdgesConfig(ResidualConfig):
    channels: int = 32
    block: str = "middle_block"

    @property
    def hint_channels(self):
        return 13

    @property
    def blocks(self):
        return {self.block}


class Edges(ConfiguredModule[EdgesConfig]):
    def __init__(self, config):
        super().__init__(config)
        self.proj = nn.Conv2d(12, config.channels, 1, bias=False)
        self.calls = []

    def residuals(self, x, t, condition, hint):
        self.calls.append((x.shape, t.tolist(), sorted(condition.spatial), len(hint)))
        tokens = condition.streams["text"].tokens.mean(dim=(1, 2)).view(-1, 1, 1, 1)
        given = hint[:, -1:, :1, :1]
        features = (
            self.proj(avg_pool2d(hint[:, :-1], 2)) + 0.1 * tokens + t.view(-1, 1, 1, 1) / 1000
        )
        return {self.config.block: features * given}


class ResidualsPlugin:
    @hookimpl
    def latelier_register(self, registrar):
        home = "residuals_plugin"
        registrar.adapter_kind("edges", factory=f"{home}:Edges", config=f"{home}:EdgesConfig")


def fill(module, seed=0):
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for weights in module.parameters():
            weights.normal_(std=0.5)
    return module.eval().requires_grad_(False)
