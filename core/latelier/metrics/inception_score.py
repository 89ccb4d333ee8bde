"""Inception Score (Salimans et al. 2016, arXiv:1606.03498)."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError


def inception_scores(
    logits: Iterable[Tensor], count: int, splits: int = 10, seed: int = 2020
) -> list[float]:
    """Return the score of each split of the pictures, from 1 to the number of classes.

    It is exp(E KL(p(y|x) | p(y))): of a classifier that is sure of each picture, and finds all
    classes. Papers state the mean of the splits. The splits are those that torch-fidelity draws
    with this seed.

    Args:
        logits: (B, K) each, of all pictures in order.
        count: number N of pictures.
        splits: 1 to N.
        seed: of the order in which pictures are split.

    Raises:
        InvalidInputError: there are fewer pictures than splits, or not N; logits are not finite.
    """
    if not 1 <= splits <= count:
        raise InvalidInputError(f"expected 1 to {count} splits of {count} pictures, got {splits}")
    split_of = _draw_splits(count, splits, seed)
    done, classes, certainty = 0, torch.zeros(()), torch.zeros(splits, dtype=torch.float64)
    for part in logits:
        own = split_of[done : done + len(part)]
        done += len(part)
        if done > count:
            break
        if not part.isfinite().all():
            raise InvalidInputError("expected finite logits")
        p = part.double().softmax(1)
        classes = classes + torch.zeros(splits, p.shape[1]).double().index_add_(0, own, p)
        certainty.index_add_(0, own, torch.xlogy(p, p).sum(1))
    if done != count:
        raise InvalidInputError(f"expected the logits of {count} pictures, got {done}")
    sizes = torch.bincount(split_of, minlength=splits)
    mean = classes / sizes[:, None]
    divergence = certainty / sizes - torch.xlogy(mean, mean).sum(1)
    return divergence.exp().tolist()


def _draw_splits(count: int, splits: int, seed: int) -> Tensor:
    """Return the split of each picture, int64 (N,)."""
    order = torch.from_numpy(np.random.RandomState(seed).permutation(count))
    ends = torch.tensor([(k + 1) * count // splits for k in range(splits)])
    split_of = torch.empty(count, dtype=torch.int64)
    split_of[order] = torch.bucketize(torch.arange(count), ends, right=True)
    return split_of
