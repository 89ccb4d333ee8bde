"""Tokens are matched and merged as in arXiv:2303.17604, and each row as if alone."""

import pytest
import torch

from latelier.nn.token_merging import draw_destinations, match_tokens

SIZES = [(4, 6), (5, 4), (4, 7), (3, 3), (2, 2)]


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def merge_by_hand(tokens, size, count, t):
    """Return what a self-attention that changes nothing gives, one row and token at a time."""
    result = tokens.clone()
    for row, (destinations, sources) in enumerate(zip(*draw_destinations(size, t), strict=True)):
        unit = tokens[row] / tokens[row].norm(dim=1, keepdim=True)
        best = []
        for source in sources.tolist():
            similar = {d: float(unit[source] @ unit[d]) for d in destinations.tolist()}
            nearest = max(similar, key=similar.get)
            best.append((similar[nearest], source, nearest))
        groups = {}
        for _, source, nearest in sorted(best, reverse=True)[:count]:
            groups.setdefault(nearest, [nearest]).append(source)
        for members in groups.values():
            result[row, members] = tokens[row, members].mean(0)
    return result


@pytest.mark.parametrize("size", SIZES)
def test_each_cell_has_one_destination_and_all_others_are_sources(size):
    h, w = size
    destinations, sources = draw_destinations(size, torch.tensor([3.0, 500.0]))
    for row in range(2):
        assert sorted([*destinations[row].tolist(), *sources[row].tolist()]) == list(range(h * w))
        cells = {(d // w // 2, d % w // 2) for d in destinations[row].tolist()}
        assert cells == {(i, j) for i in range(h // 2) for j in range(w // 2)}


def test_destinations_vary_with_t_and_are_the_same_in_any_batch():
    t = torch.linspace(0, 999, 64)
    destinations, _ = draw_destinations((16, 16), t)
    alone, _ = draw_destinations((16, 16), t[5:6])
    assert torch.equal(destinations[5:6], alone)
    corner = destinations % 16 % 2 + destinations // 16 % 2 * 2  # (64, 64), 0..3
    for along in (0, 1):  # the shares of the four corners: in a cell, and at a t
        shares = torch.nn.functional.one_hot(corner, 4).double().mean(along)
        assert (shares - 0.25).abs().max() < 0.3
        assert (shares - 0.25).abs().mean() < 0.06
    assert len({tuple(row) for row in corner.tolist()}) == 64


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75])
def test_similar_tokens_become_their_mean(size, ratio):
    n = size[0] * size[1]
    tokens, t, count = draw(2, n, 5), torch.tensor([1.0, 700.0]), int(ratio * n)
    matching = match_tokens(tokens, size, count, t)
    merged = matching.merge(tokens)
    assert merged.shape == (2, n - count, 5)
    torch.testing.assert_close(
        matching.unmerge(merged), merge_by_hand(tokens, size, count, t), rtol=1e-6, atol=1e-6
    )


def test_equal_tokens_stay_what_they_are():
    tokens = draw(1, 4, 8).repeat_interleave(16, dim=1)
    matching = match_tokens(tokens, (8, 8), 48, torch.tensor([3.0]))
    torch.testing.assert_close(matching.unmerge(matching.merge(tokens)), tokens)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_precision_is_kept_and_rows_are_independent(dtype):
    tokens, t = draw(3, 16, 8, dtype=dtype), torch.tensor([1.0, 2.0, 3.0])
    matching = match_tokens(tokens, (4, 4), 8, t)
    merged = matching.merge(tokens)
    alone = match_tokens(tokens[1:2], (4, 4), 8, t[1:2])
    assert merged.dtype == matching.unmerge(merged).dtype == dtype
    assert torch.equal(merged[1:2], alone.merge(tokens[1:2]))
