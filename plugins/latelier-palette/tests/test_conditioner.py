"""What is this conditioner's own; what all conditioners keep to is in test_conformance.py."""

import numpy as np
import pytest
import torch
from latelier import PictureGeometry
from latelier.contracts.inputs import read_input

from latelier_palette.conditioner import PaletteConditioner
from latelier_palette.inputs import Palette, PaletteConfig
from latelier_palette.lab import lab_from_hex

GEOMETRY = PictureGeometry((64, 64), (16, 16))
COLORS = ["#1d3557", "#e63946", "#f1faee"]
SHARES = [0.6, 0.3, 0.1]


@pytest.fixture(scope="module")
def conditioner():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PaletteConditioner(PaletteConfig(width=16)).eval()


def tokens(conditioner, *values):
    with torch.no_grad():
        return conditioner.encode(list(values), GEOMETRY).stream.tokens


def test_the_order_of_the_colours_does_not_matter(conditioner):
    turned = tokens(conditioner, {"colors": COLORS[::-1], "shares": SHARES[::-1]})
    expected = tokens(conditioner, {"colors": COLORS, "shares": SHARES})
    assert torch.allclose(turned.flip(1), expected, atol=1e-5)


def test_known_and_unknown_shares_differ(conditioner):
    known = tokens(conditioner, {"colors": COLORS, "shares": SHARES})
    other = tokens(conditioner, {"colors": COLORS, "shares": [0.1, 0.3, 0.6]})
    unknown = tokens(conditioner, COLORS)
    moved = (known - other).abs().amax(dim=2)[0]
    assert moved[0] > 1e-3
    assert moved[1] == 0
    assert (known - unknown).abs().amax(dim=2).min() > 1e-3


def test_an_unknown_share_differs_from_zero(conditioner):
    faint = tokens(conditioner, {"colors": ["red"], "shares": [1e-6]})
    assert (faint - tokens(conditioner, ["red"])).abs().max() > 1e-3


def test_an_absent_palette_has_no_effect(conditioner):
    null = conditioner.null(3, GEOMETRY).stream
    assert null.tokens.shape == (3, 1, 16)
    assert not null.mask.any()


def test_training_varies_the_form_of_the_input(conditioner):
    value = read_input(Palette, {"colors": COLORS, "shares": SHARES}, "palette")
    given = [conditioner.augment(value, np.random.default_rng(k)) for k in range(400)]
    exact = [each for each in given if set(each.colors) <= set(COLORS)]
    shares = dict(zip(COLORS, SHARES))
    for each in exact:
        assert len(set(each.colors)) == len(each.colors) <= 3
        assert each.shares is None or each.shares == tuple(shares[c] for c in each.colors)
    assert len(exact) / len(given) == pytest.approx(0.5, abs=0.1)
    assert np.mean([each.shares is None for each in given]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([len(each.colors) == 3 for each in given]) == pytest.approx(2 / 3, abs=0.1)
    alone = [each.colors[0] for each in exact if len(each.colors) == 1]
    assert alone.count(COLORS[0]) > alone.count(COLORS[2]) > 0


def test_shifted_colours_stay_close(conditioner):
    value = read_input(Palette, ["#808080"], "palette")
    found = [conditioner.augment(value, np.random.default_rng(k)).colors[0] for k in range(200)]
    middle = lab_from_hex(["#808080"])
    distance = (lab_from_hex([each for each in found if each != "#808080"]) - middle).norm(dim=1)
    assert 5 < distance.mean() < 20
    assert distance.max() < 60


def test_a_palette_without_shares_stays_without(conditioner):
    value = Palette(colors=tuple(COLORS))
    given = [conditioner.augment(value, np.random.default_rng(k)) for k in range(20)]
    assert all(each.shares is None for each in given)
    assert {len(each.colors) for each in given} == {1, 2, 3}


def test_gradients_reach_every_weight(conditioner):
    part = conditioner.encode([{"colors": COLORS, "shares": SHARES}, ["gold"]], GEOMETRY)
    part.stream.tokens.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in conditioner.parameters())
