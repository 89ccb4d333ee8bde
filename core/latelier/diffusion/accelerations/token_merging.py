"""Self-attention of fewer tokens (token merging for Stable Diffusion, arXiv:2303.17604)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Estimate, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.accelerations.support import check_support
from latelier.nn.token_merging import CELL, match_tokens


def token_merging(
    predict: Predict,
    _sigmas: SigmaGrid,
    /,
    *,
    ratio: Annotated[
        float, Field(ge=0, le=0.75, description="share of the tokens that are merged; 0: exact")
    ] = 0.5,
    min_tokens: Annotated[
        int,
        Field(
            ge=4,
            description="self-attentions of smaller maps stay exact: they take little time",
        ),
    ] = 2048,
) -> Estimate:
    """Return estimates whose self-attentions merge similar tokens before, and copy them after.

    Bolya and Hoffman 2023, arXiv:2303.17604. Runs with equal options share calls of the denoiser.

    Raises:
        CompatibilityError: the denoiser does not let a caller wrap its self-attentions.
    """
    check_support(predict, "token_merging", "self_attention")
    if ratio == 0:
        return predict
    merging = TokenMerging(ratio, min_tokens)

    def estimate(
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> list[Tensor]:
        control = replace(control or Control(), self_attention=merging)
        return predict(x, sigma, conditions, control)

    return estimate


@dataclass(frozen=True)
class TokenMerging:
    """Self-attention of the tokens that remain when a share of them is merged.

    Attributes:
        ratio: 0..0.75, the share.
        min_tokens: smaller maps stay exact.
    """

    ratio: float
    min_tokens: int

    def __call__(
        self,
        attend: Callable[[Tensor], Tensor],
        tokens: Tensor,
        size: tuple[int, int],
        t: Tensor,
    ) -> Tensor:
        """Return the output (B, N, D) of a self-attention for tokens (B, N, D)."""
        if tokens.shape[1] < self.min_tokens or min(size) < CELL:
            return attend(tokens)
        matching = match_tokens(tokens, size, int(self.ratio * tokens.shape[1]), t)
        return matching.unmerge(attend(matching.merge(tokens)))
