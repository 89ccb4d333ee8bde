"""How far one palette is from another, in CIEDE2000."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from latelier_palette.ciede2000 import ciede2000
from latelier_palette.lab import lab_of

Numbers = NDArray[np.float64]

_NOTHING = 1e-9


def palette_distance(found: Mapping[str, float], asked: Mapping[str, float]) -> float:
    """Return the least mean difference by which the one palette becomes the other.

    Both map colours '#rrggbb' to shares, which are scaled to add up to 1. Shares of found colours
    are carried over to asked ones so that each gets what it asks for, at the least mean CIEDE2000:
    the earth mover's distance (Rubner, Tomasi and Guibas 2000, doi:10.1023/A:1026543900054). 0 for
    the same colours in the same proportions.
    """
    return _transport(_differences(found, asked), _scaled(found), _scaled(asked))


def nearest_distance(found: Mapping[str, float], asked: Mapping[str, float]) -> float:
    """Return the mean difference of found colours, by share, to the nearest asked one.

    What is asked for and not there costs nothing here.
    """
    return float(_differences(found, asked).min(axis=1) @ _scaled(found))


def _differences(found: Mapping[str, float], asked: Mapping[str, float]) -> Numbers:
    """Return CIEDE2000 of each pair, (found, asked)."""
    first, second = (lab_of(list(each)).double().numpy() for each in (found, asked))
    return ciede2000(first[:, None], second[None])


def _scaled(palette: Mapping[str, float]) -> Numbers:
    shares = np.array(list(palette.values()), dtype=np.float64)
    scaled: Numbers = shares / shares.sum()
    return scaled


def _transport(cost: Numbers, supply: Numbers, demand: Numbers) -> float:
    """Return the least cost of carrying `supply` (N,) to `demand` (M,), equally large in all.

    Exact, by successive shortest paths: each path goes from a supply that is left to a demand that
    is open, and may take back what was carried before.
    """
    flow = np.zeros_like(cost)
    left, open_ = supply.copy(), demand.copy()
    while left.max() > _NOTHING and open_.max() > _NOTHING:
        path = _cheapest_path(cost, flow, left > _NOTHING, open_ > _NOTHING)
        taken_back = (flow[pair] for pair in path[1::2])
        amount = min(left[path[0][0]], open_[path[-1][1]], *taken_back)
        for k, pair in enumerate(path):
            flow[pair] += amount if k % 2 == 0 else -amount
        left[path[0][0]] -= amount
        open_[path[-1][1]] -= amount
    return float((cost * flow).sum())


def _cheapest_path(
    cost: Numbers, flow: Numbers, sources: NDArray[np.bool_], sinks: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Return the pairs (row, column) of the cheapest path: carried, taken back, carried ...

    Bellman and Ford's.
    """
    rows = np.where(sources, 0.0, np.inf)
    paths: list[list[tuple[int, int]]] = [[] for _ in rows]
    columns = np.full(len(sinks), np.inf)
    paths_to: list[list[tuple[int, int]]] = [[] for _ in columns]
    for _ in range(len(rows) + len(columns)):
        for i, j in np.ndindex(cost.shape):
            if rows[i] + cost[i, j] < columns[j] - _NOTHING:
                columns[j] = rows[i] + cost[i, j]
                paths_to[j] = [*paths[i], (i, j)]
            if flow[i, j] > _NOTHING and columns[j] - cost[i, j] < rows[i] - _NOTHING:
                rows[i] = columns[j] - cost[i, j]
                paths[i] = [*paths_to[j], (i, j)]
    return paths_to[int(np.where(sinks, columns, np.inf).argmin())]
