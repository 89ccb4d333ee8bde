"""Deep features of a UNet used again at the next steps (DeepCache, Ma et al., arXiv:2312.00858)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Estimate, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.accelerations.step_cache import StepCache
from latelier.diffusion.accelerations.support import check_support


def deep_cache(
    predict: Predict,
    sigmas: SigmaGrid,
    /,
    *,
    interval: Annotated[
        int, Field(ge=1, le=1000, description="steps for which deep features are used; 1: exact")
    ] = 3,
    depth: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="first input blocks, and last output blocks, that every step computes; "
            "more are slower and closer to the exact picture",
        ),
    ] = 1,
) -> Estimate:
    """Return estimates that compute the deep branch of the UNet at every `interval`-th step.

    At the others only its first and last `depth` blocks are computed, with the deep features of
    before (section 3.3).

    Raises:
        CompatibilityError: the denoiser is no UNet. A depth that it does not have is an error of
            the first step.
    """
    check_support(predict, "deep_cache", "deep_branch")
    if interval == 1:
        return predict
    cache: StepCache[Features] = StepCache(sigmas, interval)

    def estimate(
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> list[Tensor]:
        found = cache.find(sigma, conditions, control)
        features = Features(len(conditions) * len(x)) if found is None else found
        branch = CachedBranch(depth, features)
        estimates = predict(x, sigma, conditions, replace(control or Control(), deep_branch=branch))
        features.is_complete = True
        if found is None:
            cache.keep(sigma, conditions, control, features)
        return estimates

    return estimate


@dataclass(eq=False)
class Features:
    """The deep features of the rows of a call, which may be computed in parts.

    Attributes:
        rows: number of rows R.
        values: (R, C, h, w).
        is_complete: whether all rows are computed.
    """

    rows: int
    values: Tensor | None = None
    is_complete: bool = False


@dataclass(frozen=True, eq=False)
class CachedBranch:
    """A deep branch that is computed once.

    Attributes:
        depth: of the branch.
        features: where the rows of the whole call are kept.
        rows: which of them this part of the call has, (K,); None: all.
    """

    depth: int
    features: Features
    rows: Tensor | None = None

    def __call__(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return the features (K, C, h, w) of these rows, and keep them if they are new."""
        cached = self.features
        if cached.is_complete:
            assert cached.values is not None
            return cached.values if self.rows is None else cached.values[self.rows]
        values = compute()
        if self.rows is None:
            cached.values = values.detach().clone()  # CUDA graphs use the memory again
            return values
        if cached.values is None:
            cached.values = values.new_empty((cached.rows, *values.shape[1:]))
        cached.values[self.rows] = values.detach()
        return values

    def select(self, rows: Tensor) -> "CachedBranch":
        """Return the branch of some rows, (K,) int64."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])
