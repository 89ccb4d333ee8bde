"""Halving and returning to the size above, of odd sides too."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from latelier.denoisers.blocks import build_downsample, build_upsample
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.forward_context import ForwardContext

CONFIG = UNetConfig(
    in_channels=1, out_channels=1, model_channels=1, channel_mult=(1, 1), num_heads=1, num_groups=1
)
RESAMPLINGS = {
    "means": CONFIG.model_copy(update={"conv_resample": False}),
    "residual blocks": CONFIG.model_copy(update={"resblock_updown": True}),
}
"""Those that compute means; the new residual blocks are their skip connections alone."""

IMAGE = torch.arange(15.0).view(1, 1, 3, 5)
HALVED = torch.tensor([[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]).view(1, 1, 2, 3)
"""Means of 2 x 2, at the edges of the pixels that are there."""

CONTEXT = ForwardContext(torch.zeros(1), torch.zeros(1, 4))


def call(layer: nn.Module, x: Tensor, ctx: ForwardContext) -> Tensor:
    return ctx.run_layer(layer, x)


@pytest.mark.parametrize("config", RESAMPLINGS.values(), ids=RESAMPLINGS)
def test_half_of_an_odd_side_is_rounded_up(config: UNetConfig) -> None:
    assert torch.equal(call(build_downsample(config, 1), IMAGE, CONTEXT), HALVED)


def test_a_convolution_halves_to_the_same_size() -> None:
    assert call(build_downsample(CONFIG, 1), IMAGE, CONTEXT).shape == HALVED.shape


@pytest.mark.parametrize("config", RESAMPLINGS.values(), ids=RESAMPLINGS)
@pytest.mark.parametrize("size", [(4, 6), (3, 5), (3, 6)])
def test_each_cell_returns_to_its_place(config: UNetConfig, size: tuple[int, int]) -> None:
    ctx = replace(CONTEXT, size_above=size)
    expected = HALVED.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    found = call(build_upsample(config, 1), HALVED, ctx)
    assert torch.equal(found, expected[..., : size[0], : size[1]])
