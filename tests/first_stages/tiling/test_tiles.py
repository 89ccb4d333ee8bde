import pytest
import torch
from torch import nn

from latelier.first_stages.layers import Downsample, TinyBlock, Upsample
from latelier.first_stages.tiling.chain import PlainStep, Step, run_steps, split_layers
from latelier.first_stages.tiling.tiles import split_map, total_halo, total_scale

CHAINS: dict[str, list[nn.Module]] = {
    "conv": [nn.Conv2d(3, 3, 3, padding=1)],
    "wide": [nn.Conv2d(3, 3, 5, padding=2)],
    "up": [Upsample(3)],
    "up_twice": [Upsample(3), nn.Conv2d(3, 3, 3, padding=1), Upsample(3)],
    "down": [Downsample(3)],
    "down_twice": [Downsample(3), nn.Conv2d(3, 3, 3, padding=1), Downsample(3)],
    "strided": [nn.Conv2d(3, 3, 3, padding=1, stride=2), TinyBlock(3)],
    "tiny": [TinyBlock(3), nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 3, padding=1)],
}


def steps_of(name: str) -> list[Step]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for module in CHAINS[name]:
            for p in module.parameters():
                nn.init.normal_(p)
    return split_layers(nn.Sequential(*CHAINS[name]))


@pytest.mark.parametrize("side", [4, 8, 12])
@pytest.mark.parametrize("name", CHAINS)
def test_the_interior_of_a_tile_equals_the_whole(name, side):
    steps = steps_of(name)
    x = torch.randn(1, 3, 24, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = run_steps(steps, x)
        out = torch.full_like(whole, torch.nan)
        for tile in split_map(x.shape[2:], side, steps):
            assert out[..., *tile.target].isnan().all()  # no part is written twice
            out[..., *tile.target] = run_steps(steps, x[..., *tile.source])[..., *tile.interior]
    torch.testing.assert_close(out, whole, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "halo", "scale"),
    [("conv", 1, 1), ("up_twice", 2, 4), ("down", 2, 0.5), ("tiny", 4, 2)],
)
def test_halo_and_scale_are_those_of_the_layers(name, halo, scale):
    steps = steps_of(name)
    assert total_halo(steps) == halo
    assert total_scale(steps) == scale


def test_a_tile_without_a_halo_is_wrong():
    steps = steps_of("conv")
    without_halo = [PlainStep(step.layer) for step in steps if isinstance(step, PlainStep)]
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = run_steps(steps, x)
        first = next(split_map(x.shape[2:], 4, without_halo))
        piece = run_steps(steps, x[..., *first.source])[..., *first.interior]
    assert (piece - whole[..., *first.target]).abs().max() > 0.1


def test_a_layer_of_unknown_receptive_field_is_refused():
    with pytest.raises(TypeError, match="BatchNorm2d"):
        split_layers(nn.Sequential(nn.BatchNorm2d(3)))
