from itertools import permutations

import numpy as np
import pytest

from latelier_palette.ciede2000 import ciede2000
from latelier_palette.lab import lab_from_hex
from latelier_palette.palette_distance import nearest_distance, palette_distance

COLORS = ("#1d3557", "#e63946", "#f1faee", "#a8dadc", "#457b9d", "#ffb703", "#023047", "#8ecae6")


def difference(first, second):
    return float(ciede2000(*(lab_from_hex([each]).double().numpy()[0] for each in (first, second))))


def test_order_and_scale_do_not_matter():
    wanted = {"#ff0000": 0.5, "#00ff00": 0.3, "#0000ff": 0.2}
    found = {"#0000ff": 2.0, "#ff0000": 5.0, "#00ff00": 3.0}
    assert palette_distance(found, wanted) == pytest.approx(0, abs=1e-9)
    assert nearest_distance(found, wanted) == pytest.approx(0, abs=1e-9)


def test_one_colour_has_a_distance_to_several():
    mean = 0.5 * difference("#ff0000", "#00ff00") + 0.5 * difference("#ff0000", "#0000ff")
    wanted = {"#00ff00": 1, "#0000ff": 1}
    assert palette_distance({"#ff0000": 1}, wanted) == pytest.approx(mean)
    assert palette_distance(wanted, {"#ff0000": 1}) == pytest.approx(mean)


def test_missing_shares_increase_the_distance():
    wanted = {"#ff0000": 0.5, "#0000ff": 0.5}
    found = {"#ff0000": 0.9, "#0000ff": 0.1}
    assert nearest_distance(found, wanted) == 0
    assert palette_distance(found, wanted) == pytest.approx(0.4 * difference("#ff0000", "#0000ff"))


@pytest.mark.parametrize("seed", range(20))
def test_with_equal_shares_it_is_the_optimal_assignment(seed):
    rng = np.random.default_rng(seed)
    colors = [f"#{rng.integers(0, 1 << 24):06x}" for _ in range(10)]
    first, second = colors[:5], colors[5:]
    table = [[difference(a, b) for b in second] for a in first]
    best = min(sum(table[i][j] for i, j in enumerate(p)) / 5 for p in permutations(range(5)))
    assert palette_distance(dict.fromkeys(first, 1), dict.fromkeys(second, 1)) == pytest.approx(
        best
    )


@pytest.mark.parametrize("seed", range(20))
def test_shares_equal_repeated_colours(seed):
    """Shares in sevenths are seven colours of one share each, some of them equal."""
    rng = np.random.default_rng(seed)
    first, second = ([str(c) for c in rng.choice(COLORS, 3, replace=False)] for _ in range(2))
    parts = (2, 4, 1)
    split = [c for c, n in zip(first, parts) for _ in range(n)]
    other = [c for c, n in zip(second, parts[::-1]) for _ in range(n)]
    table = [[difference(a, b) for b in other] for a in split]
    best = min(sum(table[i][j] for i, j in enumerate(p)) / 7 for p in permutations(range(7)))
    found, wanted = dict(zip(first, parts)), dict(zip(second, parts[::-1]))
    assert palette_distance(found, wanted) == pytest.approx(best)


def test_it_is_symmetrical_and_at_least_the_nearest_distance():
    a = dict(zip(COLORS[:5], (5, 4, 3, 2, 1)))
    b = dict(zip(COLORS[3:], (1, 2, 3, 4, 5)))
    assert palette_distance(a, b) == pytest.approx(palette_distance(b, a))
    assert palette_distance(a, b) >= nearest_distance(a, b)
