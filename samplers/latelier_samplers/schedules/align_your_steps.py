"""Align Your Steps (Sabour et al., arXiv:2404.14507): sigmas optimised for a published model."""

import numpy as np

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.ratios import check_steps

# The authors' table of 10 steps for Stable Diffusion 1.5. Its last is the least sigma of the model.
_SIGMAS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
_TOLERANCE = 0.02


def align_your_steps(steps: int, process: Process, /) -> SigmaGrid:
    """Return the table's sigmas, or `steps` of the curve through them, and a final 0.

    For other numbers of steps the logarithm of sigma is interpolated linearly over the run, as the
    authors advise. The last sigma of the curve becomes 0, so that the run ends without noise.

    Raises:
        InvalidInputError: `steps` is below 1, or the process does not have the noise schedule that
            the table was optimised for: VP of 1,000 steps, sqrt(beta) linear from sqrt(0.00085) to
            sqrt(0.012).
    """
    check_steps(steps)
    if not _is_stable_diffusion(process):
        raise InvalidInputError(
            "the schedule 'align_your_steps' is for models with the noise schedule of Stable "
            f"Diffusion 1.5, process 'vp' of sigma {_SIGMAS[-1]} to {_SIGMAS[0]}, not for "
            f"'{process.kind}' in the '{process.frame}' frame of sigma {process.sigma_min:.3g} to "
            f"{process.sigma_max:.4g}; use the schedule 'karras'"
        )
    at = np.linspace(0, len(_SIGMAS) - 1, steps + 1)
    curve = np.exp(np.interp(at, np.arange(len(_SIGMAS)), np.log(_SIGMAS)))
    return SigmaGrid((process.sigma_max, *curve[1:-1].tolist(), 0.0), process.frame)


def _is_stable_diffusion(process: Process) -> bool:
    pairs = ((process.sigma_min, _SIGMAS[-1]), (process.sigma_max, _SIGMAS[0]))
    near = all(abs(own / table - 1) < _TOLERANCE for own, table in pairs)
    return near and isinstance(process, VP)
