"""Distances of two palettes, in CIEDE2000."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from latelier_palette.ciede2000 import ciede2000
from latelier_palette.lab import lab_from_hex

Numbers = NDArray[np.float64]

_EPSILON = 1e-9


def palette_distance(found: Mapping[str, float], wanted: Mapping[str, float]) -> float:
    """Return the earth mover's distance of two palettes with CIEDE2000 as the cost.

    It is the smallest mean colour difference at which the shares of `found` can be moved to those
    of `wanted` (Rubner, Tomasi and Guibas 2000, doi:10.1023/A:1026543900054), and 0 for equal
    colours in equal proportions.

    Args:
        found: colour '#rrggbb' -> share; shares are scaled to add up to 1.
        wanted: the same.
    """
    return _transport(_differences(found, wanted), _normalize(found), _normalize(wanted))


def nearest_distance(found: Mapping[str, float], wanted: Mapping[str, float]) -> float:
    """Return the mean difference, weighted by share, of found colours to the nearest wanted one.

    Wanted colours that are missing from `found` cost nothing here.
    """
    return float(_differences(found, wanted).min(axis=1) @ _normalize(found))


def _differences(found: Mapping[str, float], wanted: Mapping[str, float]) -> Numbers:
    """Return the CIEDE2000 of each pair, (found, wanted)."""
    first, second = (lab_from_hex(list(each)).double().numpy() for each in (found, wanted))
    return ciede2000(first[:, None], second[None])


def _normalize(palette: Mapping[str, float]) -> Numbers:
    shares = np.array(list(palette.values()), dtype=np.float64)
    return np.asarray(shares / shares.sum())


def _transport(cost: Numbers, supply: Numbers, demand: Numbers) -> float:
    """Return the smallest cost of moving `supply` (N,) to `demand` (M,), whose sums are equal.

    Successive shortest paths give the exact solution: each path leads from remaining supply to
    open demand, and may reverse flow of earlier paths.
    """
    flow = np.zeros_like(cost)
    remaining, unmet = supply.copy(), demand.copy()
    while remaining.max() > _EPSILON and unmet.max() > _EPSILON:
        path = _cheapest_path(cost, flow, remaining > _EPSILON, unmet > _EPSILON)
        reversible = (flow[pair] for pair in path[1::2])
        amount = min(remaining[path[0][0]], unmet[path[-1][1]], *reversible)
        for k, pair in enumerate(path):
            flow[pair] += amount if k % 2 == 0 else -amount
        remaining[path[0][0]] -= amount
        unmet[path[-1][1]] -= amount
    return float((cost * flow).sum())


def _cheapest_path(
    cost: Numbers, flow: Numbers, sources: NDArray[np.bool_], sinks: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Return the pairs (row, column) of the cheapest path, by the algorithm of Bellman and Ford.

    Flow increases in the first pair, decreases in the second, increases in the third, and so on.
    """
    rows = np.where(sources, 0.0, np.inf)
    paths: list[list[tuple[int, int]]] = [[] for _ in rows]
    columns = np.full(len(sinks), np.inf)
    paths_to: list[list[tuple[int, int]]] = [[] for _ in columns]
    for _ in range(len(rows) + len(columns)):
        for i, j in np.ndindex(cost.shape):
            if rows[i] + cost[i, j] < columns[j] - _EPSILON:
                columns[j] = rows[i] + cost[i, j]
                paths_to[j] = [*paths[i], (i, j)]
            if flow[i, j] > _EPSILON and columns[j] - cost[i, j] < rows[i] - _EPSILON:
                rows[i] = columns[j] - cost[i, j]
                paths[i] = [*paths_to[j], (i, j)]
    return paths_to[int(np.where(sinks, columns, np.inf).argmin())]
