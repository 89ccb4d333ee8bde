"""A limit for the denoiser evaluations of a request, enforced while it runs.

`Limits.check_evaluations` refuses most requests before they start. What a sampler does inside its
steps is only known while it runs: restarts, or steps as small as their error demands.
"""

from torch import Tensor

from latelier.contracts.errors import LimitError
from latelier.contracts.sampling import Denoise


class EvaluationBudget:
    """The evaluations that are left to a request, for all its batches together.

    An evaluation is one estimate of x0 for one picture or window. The several conditions that
    guidance compares count as one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def charge(self, denoise: Denoise, windows: int) -> Denoise:
        """Return `denoise` charged to this budget; a call that exceeds it is a LimitError.

        Args:
            denoise: of the pictures of a batch.
            windows: of each picture; 1 for one piece.
        """

        def charged(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            self._left -= len(x) * windows
            if self._left < 0:
                raise LimitError.of_limit(
                    "sampler",
                    f"the run needs more than {self._limit:,} denoiser evaluations, the limit; "
                    "let the sampler restart less often",
                    "LATELIER_MAX_EVALUATIONS in the environment raises the limit",
                )
            return denoise(x, sigma)

        return charged
