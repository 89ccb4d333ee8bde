"""Averages of any length, made after the run from snapshots (arXiv:2312.02696, section 3.2)."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from latelier.training.optimization.ema import gamma_of


def post_hoc_coefficients(
    snapshots: Sequence[tuple[int, float]], step: int, length: float
) -> Tensor:
    """Return the coefficients by which snapshots sum to an average that was not computed.

    The profile of an average over time is p(tau) = (gamma + 1) tau^gamma / t^(gamma + 1) up to its
    step t. The sum of the snapshots' profiles that is nearest to the wanted one solves A c = b,
    where A and b hold the inner products of profiles (algorithm 3 of the paper).

    Args:
        snapshots: Step, from 1, and relative length of each snapshot.
        step: Step of the average, at most that of the last snapshot.
        length: Its relative length.

    Returns:
        float64 (S,), which sums to about 1.
    """
    profiles = [*snapshots, (step, length)]
    t = torch.tensor([each for each, _ in profiles], dtype=torch.float64)
    gamma = torch.tensor([gamma_of(each) for _, each in profiles], dtype=torch.float64)
    products = _inner_products(t, gamma)
    return torch.linalg.lstsq(products[:-1, :-1], products[:-1, -1:]).solution[:, 0]


def combine(averages: Iterable[dict[str, Tensor]], coefficients: Tensor) -> dict[str, Tensor]:
    """Return the weighted sum of averages, in float32; integers are those of the last."""
    total: dict[str, Tensor] = {}
    for average, coefficient in zip(averages, coefficients.tolist(), strict=True):
        for name, tensor in average.items():
            if not tensor.is_floating_point():
                total[name] = tensor
            elif name in total:
                total[name].add_(tensor.float(), alpha=coefficient)
            else:
                total[name] = tensor.float() * coefficient
    return total


def _inner_products(t: Tensor, gamma: Tensor) -> Tensor:
    """Return the integrals of p_i p_j over time, (S, S).

    With m = min(t_i, t_j) an integral is (gamma_i + 1)(gamma_j + 1) / (gamma_i + gamma_j + 1) times
    m^(gamma_i + gamma_j + 1) / (t_i^(gamma_i + 1) t_j^(gamma_j + 1)).
    """
    ti, tj, gi, gj = t[:, None], t[None, :], gamma[:, None], gamma[None, :]
    m = torch.minimum(ti, tj)
    powers = (m / ti) ** gi * (m / tj) ** gj * m / (ti * tj)
    return (gi + 1) * (gj + 1) / (gi + gj + 1) * powers
