import pytest
import torch
from torch import nn

from latelier.first_stages.layers import Downsample, TinyBlock, Upsample
from latelier.first_stages.tiling.chain import Plain, Step, run, sequential_chain
from latelier.first_stages.tiling.tiles import reach, tiles, total_scale

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


def chain(name: str) -> list[Step]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for module in CHAINS[name]:
            for p in module.parameters():
                nn.init.normal_(p)
    return sequential_chain(nn.Sequential(*CHAINS[name]))


@pytest.mark.parametrize("side", [4, 8, 12])
@pytest.mark.parametrize("name", CHAINS)
def test_what_tiles_own_is_what_the_whole_gives(name, side):
    steps = chain(name)
    x = torch.randn(1, 3, 24, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = run(steps, x)
        out = torch.full_like(whole, torch.nan)
        for tile in tiles(x.shape[2:], side, steps):
            assert out[..., *tile.place].isnan().all()  # no part is given twice
            out[..., *tile.place] = run(steps, x[..., *tile.seen])[..., *tile.own]
    torch.testing.assert_close(out, whole, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "looks", "factor"),
    [("conv", 1, 1), ("up_twice", 2, 4), ("down", 2, 0.5), ("tiny", 4, 2)],
)
def test_a_chain_looks_no_further_than_its_layers(name, looks, factor):
    steps = chain(name)
    assert reach(steps) == looks
    assert total_scale(steps) == factor


def test_a_tile_that_looks_less_far_is_wrong():
    steps = chain("conv")
    blind = [Plain(step.layer) for step in steps if isinstance(step, Plain)]
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = run(steps, x)
        first = next(tiles(x.shape[2:], 4, blind))
        piece = run(steps, x[..., *first.seen])[..., *first.own]
    assert (piece - whole[..., *first.place]).abs().max() > 0.1


def test_a_layer_that_no_chain_is_known_of_is_refused():
    with pytest.raises(TypeError, match="BatchNorm2d"):
        sequential_chain(nn.Sequential(nn.BatchNorm2d(3)))
